"""Frames: the step that finds the size and the frame of the pixels that an image's regions are in.

A picture is opened, its header only, where its file states no size, where the user states the
frame, or where a box fits only a picture with its sides exchanged; so hardly ever.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from msgspec.structs import replace

from pipelines.storage import files
from schemas.errors import InputFileError
from schemas.rejection import Kind, Reason, Rejected, Repair
from schemas.sample import Frame
from schemas.source import SourceImage, SplitInput
from transforms.ledger import StageLedger
from transforms.orientation import in_frame_of_boxes, in_stated_frame, may_be_turned
from transforms.picture import Picture, header

_SplitKey = tuple[str, str]  # source, split


@dataclass(frozen=True, slots=True)
class Frames:
    """The folders of the pictures of splits, and the frames that the user states of them."""

    folders: Mapping[_SplitKey, str] = field(default_factory=dict)
    stated: Mapping[_SplitKey, Frame] = field(default_factory=dict)

    @classmethod
    def of(cls, splits: Iterable[SplitInput]) -> "Frames":
        """Return the folders and frames of splits."""
        splits = list(splits)
        return cls(
            {(split.source, split.split): split.pictures for split in splits},
            {(split.source, split.split): split.frame for split in splits if split.frame},
        )

    def __call__(self, source_image: SourceImage, ledger: StageLedger) -> SourceImage:
        """Return the image with the size of the frame that its regions are in.

        Raises:
            Rejected: the picture is needed and cannot be opened, or its boxes are of two frames.
        """
        image = source_image.image
        if not source_image.regions or image.file_name is None:
            return source_image
        key, unsized = (image.source, image.split), image.width is None
        frame = self.stated.get(key) if self.stated else None
        if frame is None and not unsized and not may_be_turned(image, source_image.regions):
            return source_image
        try:
            picture = _header(files.join(self.folders[key], image.file_name))
        except Rejected:
            if unsized:
                raise
            return source_image  # the writer rejects it for the same reason
        if unsized:
            image = replace(image, width=picture.width, height=picture.height)
            ledger.repaired(image, Kind.IMAGE, Repair.SIZE_FROM_PICTURE)
        if frame is not None:
            return replace(source_image, image=in_stated_frame(image, picture, frame))
        boxes = [region.bbox for region in source_image.regions]
        image, turned = in_frame_of_boxes(image, picture, boxes)
        if turned:
            ledger.repaired(image, Kind.IMAGE, Repair.FRAME_BY_BOXES)
        return replace(source_image, image=image)


def _header(path: str) -> Picture:
    try:
        return header(files.FileStore().read(path))
    except InputFileError as error:
        raise Rejected(Reason.IMAGE_UNREADABLE, str(error)) from None
