"""What a visitor of the page has done so far: a picture, regions drawn on it, and a talk.

The page shows a large picture smaller and a small one larger: clicks and brushed pixels are in the
frame of what is shown, and regions in that of the picture.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model.errors import InputError
from model.picture import Picture, read_picture
from model.regions import Region
from model.serve.composition import Message, mentioned
from model.serve.opened import OpenedModel, check_regions
from schemas.limits import MAX_MASK_PIXELS
from schemas.mask import from_pixels

SHOWN = 1024  # pixels of the longer side of what is shown, at most; half of that at least
_DECIMALS = 2  # of a box


@dataclass(frozen=True, kw_only=True, eq=False)
class DrawnRegion:
    """A region as the model takes it, and its mask as it is shown.

    region: in the picture's pixels, see `model.regions`.
    brushed: [height, width] of the shown picture; None: the region is a box.
    """

    region: Region
    brushed: NDArray[np.bool_] | None = None


@dataclass(eq=False)
class Sketch:
    """A picture, its regions and a talk about them.

    picture: whole and upright; None: none is open.
    shown: the picture as the page shows it.
    regions: numbered from 1 in this order.
    corner: of a box whose other corner has not been clicked yet, pixels of the shown picture.
    messages: the talk so far, as the visitor and the model wrote it.
    """

    picture: Image.Image | None = None
    shown: Image.Image | None = None
    regions: list[DrawnRegion] = field(default_factory=list)
    corner: tuple[int, int] | None = None
    messages: list[Message] = field(default_factory=list)

    @property
    def scale(self) -> tuple[float, float]:
        """The width and height of a shown pixel, in the picture's."""
        assert self.picture is not None
        assert self.shown is not None
        return (
            self.picture.width / self.shown.width,
            self.picture.height / self.shown.height,
        )

    @property
    def answered(self) -> set[int]:
        """The numbers of the regions that the last answer names."""
        last = self.messages[-1]["content"] if self.messages else ""
        return {number for *_, number in mentioned(last, len(self.regions))}

    def open(self, picture: Picture) -> None:
        """Begin anew with a picture, in a form that `model.picture.read_picture` takes.

        Raises:
            InputError: it cannot be read; all stays as it was.
        """
        self.picture = read_picture(picture)
        self.shown = _shown(self.picture)
        self.regions, self.corner, self.messages = [], None, []

    def click(self, x: int, y: int) -> bool:
        """Take a corner of a box, and return whether the box has both now.

        Both clicked pixels are inside the box.

        Args:
            x: the column of a pixel of the shown picture.
            y: its row.

        Raises:
            InputError: no picture is open, or the box cannot be used; it is forgotten then.
        """
        self._check_open()
        if self.corner is None:
            self.corner = (x, y)
            return False
        (other_x, other_y), self.corner = self.corner, None
        across, down = self.scale
        x0, y0 = min(x, other_x) * across, min(y, other_y) * down
        x1, y1 = (max(x, other_x) + 1) * across, (max(y, other_y) + 1) * down
        box = tuple(round(number, _DECIMALS) for number in (x0, y0, x1, y1))
        self._add(DrawnRegion(region=box))
        return True

    def brush(self, brushed: NDArray[np.bool_]) -> None:
        """Add a mask.

        Args:
            brushed: [height, width] of the shown picture.

        Raises:
            InputError: no picture is open, or the mask is empty or too large.
        """
        picture = self._check_open()
        if picture.width * picture.height > MAX_MASK_PIXELS:
            raise InputError(
                f"a mask on a picture of {picture.width} x {picture.height} pixels, at most "
                f"{MAX_MASK_PIXELS} in all: draw a box, or open a smaller picture"
            )
        whole = np.asarray(Image.fromarray(brushed).resize(picture.size, Image.Resampling.NEAREST))
        mask = from_pixels(whole)
        region = {"size": [mask.height, mask.width], "counts": mask.counts}
        self._add(DrawnRegion(region=region, brushed=brushed))

    def undo(self) -> None:
        """Forget a clicked corner, or else the last region, and with it the talk about it."""
        if self.corner is not None:
            self.corner = None
        elif self.regions:
            self.regions.pop()
            self.messages = []

    def ask(
        self,
        model: OpenedModel,
        question: str,
        max_new_tokens: int,
        on_text: Callable[[str], None] | None = None,
    ) -> str:
        """Return the model's answer, which later questions follow; see `Talk.ask`.

        Raises:
            RegionForgeError: the question cannot be answered; it is not part of the talk then.
        """
        regions = [each.region for each in self.regions]
        talk = model.talk(self._check_open(), regions, max_new_tokens=max_new_tokens)
        talk.messages = list(self.messages)
        answer = talk.ask(question, on_text)
        self.messages = talk.messages
        return answer

    def _check_open(self) -> Image.Image:
        if self.picture is None:
            raise InputError("no picture is open: open one first")
        return self.picture

    def _add(self, region: DrawnRegion) -> None:
        assert self.picture is not None
        regions = [*(each.region for each in self.regions), region.region]
        check_regions(regions, self.picture.size)
        self.regions.append(region)


def _shown(picture: Image.Image) -> Image.Image:
    """Return a picture in the size in which it is shown: a small one a whole number of times."""
    shown = picture.copy()
    times = SHOWN // max(picture.size)
    if times > 1:
        return shown.resize((picture.width * times, picture.height * times), Image.Resampling.BOX)
    shown.thumbnail((SHOWN, SHOWN))
    return shown
