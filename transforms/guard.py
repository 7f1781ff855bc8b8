"""Guard: the step that keeps images of evaluations out of training splits.

Data sets share pictures under different ids. Each picture is compared by the one name by which its
data set knows it (`pipelines.datasets.common.picture_names`): COCO's number, Visual Genome's id,
the id of a Flickr photo. A picture with another name elsewhere (Visual Genome's `coco_id`) is
forbidden under all of its names.
"""

from collections.abc import Callable, Mapping

from schemas.rejection import Kind, Reason, Rejected
from schemas.sample import ImageInfo
from schemas.source import SourceImage
from transforms.ledger import StageLedger

Forbidden = Mapping[str, str]  # name of a picture to the evaluation that uses the picture
PictureName = Callable[[ImageInfo], str | None]  # e.g. "coco/139"; None: no known name


def guard_image(
    source_image: SourceImage,
    picture_name: PictureName,
    forbidden: Forbidden,
    ledger: StageLedger,
) -> bool:
    """Return whether an image passes; otherwise its regions and items are left out with it.

    Args:
        source_image: the image.
        picture_name: returns the name of the image's picture across data sets.
        forbidden: the names of pictures that evaluations use.
        ledger: the ledger of the stage.
    """
    image = source_image.image
    ledger.read_source_image(source_image)
    name = picture_name(image)
    if name is None or name not in forbidden:
        ledger.kept(image, Kind.IMAGE)
        ledger.kept(image, Kind.ANNOTATION, len(source_image.regions))
        ledger.items_kept(image, source_image.items)
        return True
    detail = f"it is {name}, of {forbidden[name]}; expected an image no evaluation is done on"
    cause = Rejected(Reason.EVALUATION_IMAGE, detail)
    ledger.reject_source_image(source_image, cause)
    return False
