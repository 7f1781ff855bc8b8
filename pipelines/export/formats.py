"""The table of formats: what writes each, what it loses, and how its files are opened."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pipelines.export import chat, coco, llamafactory, llava, parquet, qwen, swift, webdataset
from pipelines.export.part import Part
from pipelines.export.target import Target

_QWEN_BOXES = (
    "Boxes are whole numbers x0, y0, x1, y1. With `coordinates` `thousandths`, in `export.json`, "
    "they are on a grid from 0 to 1000 over the picture, as Qwen2-VL and Qwen3-VL have them; with "
    "`pixels`, in the picture as Qwen2.5-VL's processor resizes it: sides in multiples of 28, "
    "3,136 to 12,845,056 pixels in all. Train with these limits."
)


def _nothing(parts: Sequence[Part], target: Target) -> None:
    """Add nothing after the splits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """A format, and what users of an export need to know of it."""

    title: str
    about: str  # for the card: the convention of boxes, and how the files are opened
    write: Callable[[Part, Target], None]
    finish: Callable[[Sequence[Part], Target], None] = _nothing
    loses: frozenset[str] = frozenset()  # the names of `losses` that it has no room for
    coordinates: tuple[str, ...] = ()  # the forms of boxes to choose from; the first one is usual
    refers: bool = False  # whether it can leave pictures where a build by reference has them


FORMATS: Mapping[str, Format] = {
    "llava": Format(
        title="LLaVA's",
        about=(
            "Give a `.json` file as `--data_path`, this folder as `--image_folder`, and "
            "`--image_aspect_ratio pad`. Boxes are x0, y0, x1, y1 in parts of the padded square "
            "picture, with three decimals."
        ),
        write=llava.write,
        loses=chat.LOST,
    ),
    "swift": Format(
        title="ms-swift's",
        about=(
            "Give a `.jsonl` file as `--dataset`, and this folder as the environment variable "
            "ROOT_IMAGE_DIR. Each `<bbox>` stands for the next box of `objects`, in pixels of the "
            "stored picture; ms-swift writes them as the model needs them."
        ),
        write=swift.write,
        loses=chat.LOST,
    ),
    "llamafactory": Format(
        title="LLaMA-Factory's",
        about=f"Give this folder as `dataset_dir`, and a name in its description. {_QWEN_BOXES}",
        write=llamafactory.write,
        finish=llamafactory.finish,
        loses=chat.LOST,
        coordinates=tuple(qwen.COORDINATES),
    ),
    "qwen": Format(
        title="that of Qwen-VL's trainer",
        about=(
            "Give a `.jsonl` file as `annotation_path` and this folder as `data_path`. "
            f"{_QWEN_BOXES}"
        ),
        write=qwen.write,
        loses=chat.LOST,
        coordinates=tuple(qwen.COORDINATES),
    ),
    "parquet": Format(
        title="Parquet, of the records as they are",
        about="`datasets.load_dataset` opens this folder, with the names of its configs.",
        write=parquet.write,
        refers=True,
    ),
    "coco": Format(
        title="that of COCO's instances",
        about=(
            "`pycocotools.coco.COCO` opens the files in `annotations/`; `file_name` is below this "
            "folder. Ids of categories count from 1 in the order in which they occur."
        ),
        write=coco.write,
        loses=coco.LOST,
    ),
    "webdataset": Format(
        title="WebDataset's",
        about=(
            "Each record is a picture and a `.json` with the rest. Boxes are xyxy in pixels, and "
            "`<regionK>` in the text stands for `regions[K - 1]`."
        ),
        write=webdataset.write,
    ),
}
