"""Visual Genome in its owners' files: regions with phrases, and objects in relationships.

    image_data.json             sizes, and urls that end with the pictures' folder and name
    region_descriptions.json    boxes with a phrase each
    relationships.json          subjects, predicates and objects, with boxes and names; optional
    attributes.json             objects with boxes and attributes; for the task region_attribute
    predicate_alias.txt         predicates that mean the same; optional
    test_ids.txt                the images to test on; optional
    VG_100K/  VG_100K_2/        the pictures, some in the other folder than in the url; or all
                                in images/, or in the folder that is given

Versions 1.0, 1.2 and 1.4 are read, see `records`; 1.2 is the best. In 1.4 the owner has merged
objects that overlap, and of 158 relationships that we compared, 29 have another name there:
"calendar on wall" has become "computer on wall", "railing on balcony" is "railing on railing".

The files objects and scene graphs add nothing that a task uses and are not read, nor
are aliases of names: objects are distinguished by ids, boxes and names, as annotators wrote them.

The split train has all images. The split test (`test_split`), for evaluation, is read only where it
is named: its images with their phrases, and nothing of other images.
Format: https://homes.cs.washington.edu/~ranjay/visualgenome/api.html
"""

from collections.abc import Iterator, Sequence

import msgspec

from pipelines.datasets.common.bins import read_bins
from pipelines.datasets.common.lenient_json import decode_json
from pipelines.datasets.common.picture_names import visual_genome_name
from pipelines.datasets.common.raw_items import Raw
from pipelines.datasets.spec import DatasetSpec, Located, Outline, SourceRequest
from pipelines.datasets.visual_genome import records as vg_json
from pipelines.datasets.visual_genome.attributes import FILE
from pipelines.datasets.visual_genome.division import divide
from pipelines.datasets.visual_genome.images import image_items, members_of
from pipelines.datasets.visual_genome.pictures import (
    FOLDERS,
    file_names,
)
from pipelines.datasets.visual_genome.test_split import TEST_IDS, TEST_LIST
from schemas.sample import ImageInfo, Task
from schemas.source import Entry, SplitInput, Store
from schemas.style import Style

_LICENCE = "CC BY 4.0"
_PAPERS = (
    "Ranjay Krishna, Yuke Zhu, Oliver Groth, Justin Johnson, Kenji Hata, Joshua Kravitz, Stephanie "
    "Chen, Yannis Kalantidis, Li-Jia Li, David A. Shamma, Michael S. Bernstein, Li Fei-Fei. Visual "
    "Genome: Connecting Language and Vision Using Crowdsourced Dense Image Annotations. "
    "International Journal of Computer Vision, 2017.",
)
_ATTRIBUTES = FILE.removesuffix(".json")  # the file's role
REQUIRED = ("image_data.json", "region_descriptions.json")
_OPTIONAL = {
    "train": ("relationships.json", "predicate_alias.txt"),
    "test": (TEST_LIST,),
}


def locate(root: str, request: SourceRequest) -> list[Located]:
    """Return the locations of the splits; roles: `images`, and the files' names without suffix."""

    def paths(names: Sequence[str]) -> dict[str, str]:
        roles = {name.partition(".")[0]: name for name in names}
        usual = {role: f"{root}/visual_genome/{name}" for role, name in roles.items()}
        return {role: request.paths.get(role, path) for role, path in usual.items()}

    splits = tuple(_OPTIONAL) if request.splits else SPEC.splits
    asked = (FILE,) if Task.REGION_ATTRIBUTE in (request.tasks or ()) else ()
    needed = (*REQUIRED, TEST_LIST) if TEST_IDS in request.paths else REQUIRED
    # A given list may be meant for the guard of the training split.
    named = {TEST_IDS: request.paths[TEST_IDS]} if TEST_IDS in request.paths else {}
    return [
        Located(
            split=split,
            files=paths(needed if split == "test" else (*REQUIRED, *asked)),
            optional=paths(_OPTIONAL[split]) | named,
            pictures=request.paths.get("images", f"{root}/visual_genome"),
            folder="" if "images" in request.paths else "visual_genome",
            licence=_LICENCE,
            picture_folders=() if "images" in request.paths else FOLDERS,
        )
        for split in splits
    ]


def outline(split: SplitInput, store: Store) -> Outline:
    """Return the outline of one split of Visual Genome.

    Raises:
        InputFileError: the file about the images as a whole cannot be used.
    """
    items = image_items(split, store)
    if split.split != "test":
        return Outline(items=items, names_of=_names_of)
    declared, _ = vg_json.index_items(items, vg_json.IMAGE, "image_data")
    members = members_of(split, store, declared) or ()
    urls = [declared[image_id].url for image_id in members if image_id in declared]
    return Outline(items=urls, names_of=file_names)


def _names_of(item: Raw) -> Sequence[str]:
    try:
        return file_names(decode_json(vg_json.IMAGE, item).url)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ()


def parse(split: SplitInput, store: Store) -> Iterator[Entry]:
    """Yield the entries of one split of Visual Genome.

    Raises:
        InputFileError: a file as a whole cannot be used.
    """
    yield from read_bins(divide(split, store, 1, {}), store)


def _picture_name(image: ImageInfo) -> str:
    return visual_genome_name(image.image_id)


SPEC = DatasetSpec(
    name="visual_genome",
    title="Visual Genome",
    licence=_LICENCE,
    obtain=(
        "https://homes.cs.washington.edu/~ranjay/visualgenome/api.html: image meta data, region "
        "descriptions and relationships of version 1.2, and both parts of the images"
    ),
    splits=("train",),
    tasks={
        Style.REGIONGPT: (Task.REGION_CAPTION, Task.REGION_RELATIONSHIP),
        Style.GPT4ROI: (Task.REGION_CAPTION,),
    },
    boxes_per_image={Style.REGIONGPT: 10, Style.GPT4ROI: 15},
    evaluations=(Task.REGION_CAPTION,),
    questions=(Task.REGION_ATTRIBUTE,),
    locate=locate,
    parse=parse,
    divide=divide,
    outline=outline,
    picture_name=_picture_name,
    picture_owners=("visual_genome",),
    papers=_PAPERS,
    task_definition=None,
    version=2,
)
