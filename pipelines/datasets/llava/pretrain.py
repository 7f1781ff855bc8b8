"""LLaVA's pretraining data, LAION-CC-SBU-558K: a request and a short caption for each picture.

    {"id": "000010447", "image": "00001/000010447.jpg",
     "conversations": [{"from": "human", "value": "Describe the image concisely.\\n<image>"},
                       {"from": "gpt", "value": "the bunk room"}]}

Pictures lie in folders named by the first five digits of their names. Their sizes are not stated.
Format: https://huggingface.co/datasets/liuhaotian/LLaVA-Pretrain
"""

from pipelines.datasets.common.packed import Opening, readers
from pipelines.datasets.common.picture_names import unshared_picture
from pipelines.datasets.common.raw_items import Raw
from pipelines.datasets.llava.boxes import Boxes
from pipelines.datasets.llava.layout import (
    LLAVA_PAPER,
    open_records,
    outline_records,
    read_records,
)
from pipelines.datasets.llava.pictured import Pictured
from pipelines.datasets.llava.records import dialogue_of
from pipelines.datasets.spec import DatasetSpec, Located, Outline, SourceRequest
from schemas.item import Dialogue
from schemas.rejection import Reason, Rejected
from schemas.sample import Task
from schemas.source import SplitInput, Store
from schemas.style import Style

_LICENCE = "other: the images keep their own terms"
_PAPERS = (LLAVA_PAPER,)


def locate(root: str, request: SourceRequest) -> list[Located]:
    """Return the location of the only split; roles are `train` and `images`."""
    paths, below = request.paths, f"{root}/llava_pretrain"
    return [
        Located(
            split="train",
            files={"train": paths.get("train", f"{below}/blip_laion_cc_sbu_558k.json")},
            pictures=paths.get("images", f"{below}/images"),
            folder="" if "images" in paths else "llava_pretrain/images",
            licence=_LICENCE,
        )
    ]


def _open(split: SplitInput, store: Store) -> Opening[Pictured]:
    records = read_records(split, store, str)
    listing = store.sizes(split.pictures)
    return (yield from open_records(split, records, listing, Boxes(), _caption))


parse, divide = readers(_open)


def outline(split: SplitInput, store: Store) -> Outline:
    """Return the outline of the only split of the pretraining data."""
    return outline_records(split, store, str)


def _caption(raw: Raw) -> Dialogue:
    dialogue = dialogue_of(raw)
    if len(dialogue.rounds) > 1:
        rounds = len(dialogue.rounds)
        raise Rejected(Reason.MALFORMED, f"expected a request and a caption, found {rounds} rounds")
    return dialogue


SPEC = DatasetSpec(
    name="llava_pretrain",
    title="LLaVA-Pretrain (LAION-CC-SBU-558K)",
    licence=_LICENCE,
    obtain="https://huggingface.co/datasets/liuhaotian/LLaVA-Pretrain: the file and images.zip",
    splits=("train",),
    tasks=dict.fromkeys(Style, (Task.IMAGE_CAPTION,)),
    boxes_per_image={},
    locate=locate,
    parse=parse,
    outline=outline,
    divide=divide,
    picture_name=unshared_picture,
    picture_owners=(),
    papers=_PAPERS,
    task_definition=None,
)
