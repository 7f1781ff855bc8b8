"""Guard: no image that an evaluation is done on goes into a split to train on.

Data sets share pictures under ids of their own. Each picture is compared by the one name that its
data set knows it by (`pipelines.datasets.common.picture_names`): COCO's number, Visual Genome's id,
the id of a Flickr photo. A picture that has another name elsewhere (Visual Genome's `coco_id`) is
forbidden under all of its names.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from apache_beam.pvalue import PCollection

from schemas.ledger import Stage
from schemas.rejection import Kind, Reason, Rejected
from schemas.sample import ImageInfo
from schemas.source import SourceImage
from transforms.ledger import StageLedger
from transforms.stage import StageDoFn, StageOutputs, StageTransform, run_stage, skip_stage

Forbidden = Mapping[str, str]  # name of a picture to the evaluation that is done on it
PictureName = Callable[[ImageInfo], str | None]  # its name, e.g. "coco/139"; None: it has none


def guard_image(
    source_image: SourceImage,
    picture_name: PictureName | None,
    forbidden: Forbidden,
    ledger: StageLedger,
) -> bool:
    """Tell whether an image passes; the regions and items of one that does not are sampled out.

    Args:
        source_image: the image.
        picture_name: returns the name that other data sets know its picture by; None: its split
            is not to train on, and every image passes.
        forbidden: names of pictures that are evaluated on.
        ledger: of the stage.
    """
    image = source_image.image
    ledger.read(image, Kind.IMAGE)
    ledger.read(image, Kind.ANNOTATION, len(source_image.regions))
    ledger.items_read(image, source_image.items)
    name = picture_name(image) if picture_name else None
    if name is None or name not in forbidden:
        ledger.kept(image, Kind.IMAGE)
        ledger.kept(image, Kind.ANNOTATION, len(source_image.regions))
        ledger.items_kept(image, source_image.items)
        return True
    detail = f"it is {name}, of {forbidden[name]}; expected an image no evaluation is done on"
    ledger.reject(image, Kind.IMAGE, image.image_id, Rejected(Reason.EVALUATION_IMAGE, detail))
    ledger.sampled_out(image, Kind.ANNOTATION, len(source_image.regions))
    for item in source_image.items:
        ledger.sampled_out(image, item.kind)
    return False


class _GuardImages(StageDoFn[list[SourceImage], list[SourceImage]]):
    stage = Stage.GUARD

    def __init__(
        self, picture_names: Mapping[tuple[str, str], PictureName], forbidden: Forbidden
    ) -> None:
        self._picture_names = picture_names
        self._forbidden = forbidden

    def results(self, element: list[SourceImage]) -> Iterator[list[SourceImage]]:
        """Yield the images of a batch that may be trained on."""
        yield [source_image for source_image in element if self._passes(source_image)]

    def _passes(self, source_image: SourceImage) -> bool:
        image = source_image.image
        picture_name = self._picture_names.get((image.source, image.split))
        return guard_image(source_image, picture_name, self._forbidden, self.ledger)


@dataclass
class GuardImages(StageTransform[PCollection[list[SourceImage]], StageOutputs[list[SourceImage]]]):
    """Batches of SourceImage -> the same without pictures that an evaluation is done on."""

    picture_names: Mapping[tuple[str, str], PictureName]  # by source and split to train on
    forbidden: Forbidden

    def expand(self, pcoll: PCollection[list[SourceImage]]) -> StageOutputs[list[SourceImage]]:
        """Apply `guard_image` to every image of a split to train on."""
        if not self.picture_names or not self.forbidden:
            return skip_stage(pcoll)
        return run_stage(pcoll, _GuardImages(self.picture_names, self.forbidden))
