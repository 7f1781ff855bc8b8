"""Visual Commonsense Reasoning: questions about film stills, answers, and the reasons for them.

    vcr/{train,val}.jsonl                       a question per line (`questions`)
    vcr/vcr1images/<film>/<still>.jpg           the pictures
    vcr/vcr1images/<film>/<still>.json          the objects in each (`metadata`)

The labels of the test split are not public, so the split is left out. An image is identified by its
`img_id`, a region by its 0-based place among the objects of its image, a question by its
`annot_id`. Format: https://visualcommonsense.com/download/
"""

from pipelines.datasets.common.packed import readers
from pipelines.datasets.common.picture_names import unshared_picture
from pipelines.datasets.common.text_files import read_text
from pipelines.datasets.spec import DatasetSpec, Located, Outline, SourceRequest
from pipelines.datasets.vcr.questions import QuestionFile
from pipelines.datasets.vcr.stills import open_stills
from schemas.sample import Task
from schemas.source import SplitInput, Store
from schemas.style import Style

_FOLDER = "vcr/vcr1images"
_LICENCE = "VCR dataset licence (research only)"
_PAPERS = (
    "Rowan Zellers, Yonatan Bisk, Ali Farhadi, Yejin Choi. From Recognition to Cognition: Visual "
    "Commonsense Reasoning. CVPR 2019.",
)


def locate(root: str, request: SourceRequest) -> list[Located]:
    """Return the locations of the splits; roles: `train`, `val`, `images` and `metadata`."""
    paths = request.paths
    pictures = paths.get("images", f"{root}/{_FOLDER}")
    return [
        Located(
            split=split,
            files={
                split: paths.get(split, f"{root}/vcr/{split}.jsonl"),
                "metadata": paths.get("metadata", pictures),
            },
            pictures=pictures,
            folder="" if "images" in paths else _FOLDER,
            licence=_LICENCE,
        )
        for split in SPEC.splits
    ]


parse, divide = readers(open_stills)


def outline(split: SplitInput, store: Store) -> Outline:
    """Return the outline of one split of VCR, which has a record for each question.

    Raises:
        InputFileError: the file of questions cannot be used.
    """
    file = QuestionFile(read_text(store, split.file), split.file)
    lines = [line for picture in file.pictures.values() for line in picture.lines]
    return Outline(items=lines, names_of=lambda line: line.files[:1])


SPEC = DatasetSpec(
    name="vcr",
    title="Visual Commonsense Reasoning (VCR)",
    licence=_LICENCE,
    obtain="https://visualcommonsense.com/download/: the annotations and the images, for research",
    splits=("train", "val"),
    tasks=dict.fromkeys(Style, (Task.REGION_REASONING,)),
    evaluations=(Task.REGION_REASONING,),
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
