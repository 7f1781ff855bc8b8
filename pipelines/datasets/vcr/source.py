"""Visual Commonsense Reasoning: questions about film stills, answers, and the reasons for them.

    vcr/{train,val}.jsonl                       a question per line (`questions`)
    vcr/vcr1images/<film>/<still>.jpg           the pictures
    vcr/vcr1images/<film>/<still>.json          the objects in each (`metadata`)

The labels of the test split are not public, so the split is left out. An image is identified by its
`img_id`, a region by its 0-based place among the objects of its image, a question by its
`annot_id`. Format: https://visualcommonsense.com/download/
"""

from collections.abc import Iterator, Mapping

from msgspec.structs import replace

from pipelines.datasets.coco.categories import COCO_NAMES
from pipelines.datasets.common.entries import Refused, image_info, limited, rejection, rejections
from pipelines.datasets.common.paths import check_file_name
from pipelines.datasets.common.picture_names import unshared_picture
from pipelines.datasets.common.text_files import read_text
from pipelines.datasets.spec import DatasetSpec, Located, Outline, SourceRequest
from pipelines.datasets.vcr.metadata import Metadata, read_metadata, regions
from pipelines.datasets.vcr.questions import Line, Picture, QuestionFile
from schemas.rejection import Kind, Reason, Rejected
from schemas.sample import ImageInfo, Task
from schemas.source import Count, Entry, SourceImage, SplitFacts, SplitInput, Store, Volume
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


def parse(split: SplitInput, store: Store) -> Iterator[Entry]:
    """Yield the entries of one split of VCR.

    Raises:
        InputFileError: the file of questions cannot be used, or a file cannot be read.
    """
    content = read_text(store, split.file)
    file = QuestionFile(content, split.file, evaluation=split.evaluation)
    yield from _Parser(split, store, file).entries()


def outline(split: SplitInput, store: Store) -> Outline:
    """Return the outline of one split of VCR, which has a record for each question.

    Raises:
        InputFileError: the file of questions cannot be used.
    """
    file = QuestionFile(read_text(store, split.file), split.file)
    lines = [line for picture in file.pictures.values() for line in picture.lines]
    return Outline(items=lines, names_of=lambda line: line.files[:1])


class _Parser:
    """The parser of one part of a split."""

    def __init__(self, split: SplitInput, store: Store, file: QuestionFile) -> None:
        self._split = split
        self._store = store
        self._file = file

    def entries(self) -> Iterator[Entry]:
        """Yield all entries: first the refused items, then the entries of each image."""
        split, file = self._split, self._file
        usable, refused = self._usable()
        chosen = limited(split, usable)
        shards = _shards(split, file.pictures, {img_id: usable[img_id] for img_id in chosen})
        if split.leads:
            yield SplitFacts(split.source, split.split, shards)
            yield Count(Kind.QUESTION, "read", len(file.malformed))
            yield from rejections(split, Kind.QUESTION, file.malformed)
        yield from self._repeats()
        for img_id, picture in file.pictures.items():
            if not split.owns(img_id):
                continue
            yield Count(Kind.IMAGE, "read", 1)
            yield Count(Kind.QUESTION, "read", len(picture.lines))
            if img_id in refused:
                yield from self._without_image(img_id, picture, refused[img_id])
            elif img_id in chosen:
                yield from self._image(replace(usable[img_id], shards=shards), picture)
            else:
                yield from _sampled_out(picture)

    def _usable(self) -> tuple[dict[str, ImageInfo], dict[str, Rejected]]:
        """Return the images whose files exist, still without a size, and the refused images."""
        split = self._split
        listing = self._store.sizes(split.pictures)
        metadata = split.files["metadata"]
        described = listing if metadata == split.pictures else self._store.sizes(metadata)
        usable: dict[str, ImageInfo] = {}
        refused: dict[str, Rejected] = {}
        for img_id, picture in self._file.pictures.items():
            img_fn, metadata_fn = picture.first.files
            try:
                usable[img_id] = image_info(split, img_id, img_fn, None, listing, split.licence)
                _check_metadata(metadata_fn, described)
            except Rejected as cause:
                usable.pop(img_id, None)
                refused[img_id] = cause
        return usable, refused

    def _repeats(self) -> Iterator[Entry]:
        owned = [line.annot_id for line in self._file.repeats if self._split.owns(line.img_id)]
        yield Count(Kind.QUESTION, "read", len(owned))
        for annot_id in owned:
            cause = Rejected(Reason.DUPLICATE_ID, f"several lines have the annot_id {annot_id}")
            yield rejection(self._split, Kind.QUESTION, annot_id, cause)

    def _image(self, image: ImageInfo, picture: Picture) -> Iterator[Entry]:
        first = picture.first
        try:
            metadata = self._metadata(first.files[1])
            image = _sized(self._split, image, (metadata.width, metadata.height))
        except Rejected as cause:
            yield from self._without_image(image.image_id, picture, cause)
            return
        objects, refused_regions = regions(metadata)
        questions = []
        refused: list[Refused] = []
        for line in sorted(picture.lines, key=_id_order):
            try:
                questions.append(self._file.question(line, first.files, metadata.names))
            except Rejected as cause:
                refused.append((line.annot_id, cause))
        yield Count(Kind.ANNOTATION, "read", len(metadata.names))
        yield from rejections(self._split, Kind.ANNOTATION, refused_regions)
        yield from rejections(self._split, Kind.QUESTION, refused)
        yield SourceImage(image, tuple(objects), tuple(questions))

    def _metadata(self, metadata_fn: str) -> Metadata:
        name = check_file_name(metadata_fn)
        return read_metadata(self._store.read(f"{self._split.files['metadata']}/{name}"), name)

    def _without_image(self, img_id: str, picture: Picture, cause: Rejected) -> Iterator[Entry]:
        yield rejection(self._split, Kind.IMAGE, img_id, cause)
        yield Count(Kind.ANNOTATION, "read", picture.first.objects)
        yield Count(Kind.ANNOTATION, "with_image", picture.first.objects)
        yield Count(Kind.QUESTION, "with_image", len(picture.lines))


def _check_metadata(metadata_fn: str, listing: Mapping[str, int]) -> None:
    if check_file_name(metadata_fn) not in listing:
        raise Rejected(Reason.UNREADABLE_FILE, f"no file {metadata_fn!r} among the metadata")


def _sized(split: SplitInput, image: ImageInfo, size: tuple[int, int]) -> ImageInfo:
    """Return the image with the size that its metadata states, pixels; or raise `Rejected`."""
    assert image.file_name is not None, "every image here has a picture"
    listing = {image.file_name: image.size_bytes}
    info = image_info(split, image.image_id, image.file_name, size, listing, image.licence)
    return replace(info, shards=image.shards)


def _shards(
    split: SplitInput, pictures: Mapping[str, Picture], chosen: Mapping[str, ImageInfo]
) -> int:
    """Return the number of shards of a split; a question makes a record, in an evaluation two."""
    each = 2 if split.evaluation else 1
    records = {img_id: each * len(pictures[img_id].lines) for img_id in chosen}
    volume = Volume(
        images=sum(records.values()),
        regions=sum(pictures[img_id].first.objects * count for img_id, count in records.items()),
        categories=len(COCO_NAMES),
        picture_bytes=sum(chosen[img_id].size_bytes * count for img_id, count in records.items()),
    )
    return replace(split.sizing, record_per_region=False).shards(volume)


def _sampled_out(picture: Picture) -> Iterator[Entry]:
    yield Count(Kind.IMAGE, "sampled_out", 1)
    yield Count(Kind.QUESTION, "sampled_out", len(picture.lines))
    yield Count(Kind.ANNOTATION, "read", picture.first.objects)
    yield Count(Kind.ANNOTATION, "sampled_out", picture.first.objects)


def _id_order(line: Line) -> tuple[int, str]:
    return len(line.annot_id), line.annot_id


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
    picture_name=unshared_picture,
    picture_owners=(),
    papers=_PAPERS,
    task_definition=None,
)
