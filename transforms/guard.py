"""Guard: no image that an evaluation is done on goes into a split to train on.

Data sets share pictures under ids of their own. Each picture is compared by the one name that its
data set knows it by (`pipelines.datasets.common.picture_names`): COCO's number, Visual Genome's id,
the id of a Flickr photo. A picture that has another name elsewhere (Visual Genome's `coco_id`) is
forbidden under all of its names.
"""

from collections.abc import Callable, Mapping

from schemas.rejection import Kind, Reason, Rejected
from schemas.sample import ImageInfo
from schemas.source import SourceImage
from transforms.ledger import StageLedger

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
