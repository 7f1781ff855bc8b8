"""The prompts about the regions of one image."""

from collections.abc import Callable, Mapping

from pipelines.recap.captioning.captioner import CaptionTarget
from pipelines.recap.captioning.marked import mark_of, marks_beside
from pipelines.recap.captioning.neighbours import neighbours_of
from pipelines.recipes.recap import Captioning
from prompts.recap_request import Prompt, RegionRequest, region_prompt
from prompts.wordings import WordingSet
from schemas.sample import ScreenedImage
from schemas.text import shown_name


class RegionPrompts:
    """The prompts about the regions of an image, by the positions of regions in it."""

    def __init__(
        self,
        captioning: Captioning,
        wordings: Mapping[str, WordingSet],
        screened: ScreenedImage,
        target: CaptionTarget | None,
    ) -> None:
        """Prepare the prompts.

        Args:
            captioning: the settings of captioner and prompts.
            wordings: the sets of wordings, by name.
            screened: the image and its regions.
            target: the regions in the upright picture; needed where other regions are named.
        """
        self._captioning = captioning
        self._wordings = wordings
        self._screened = screened
        self._target = target

    def of(self, position: int, global_caption: str | None) -> Callable[[int], Prompt]:
        """Return the prompt about a region, as a function of the rank that chooses its wording.

        Args:
            position: the position of the region among those of its image.
            global_caption: the caption of the image; None: the prompt has none.
        """
        captioning, category = self._captioning, self._screened.regions[position].category
        request = RegionRequest(
            global_caption=global_caption,
            class_name=shown_name(category) if category and captioning.class_name else None,
            mark=mark_of(position) if captioning.marked else None,
            given=captioning.given,
            others=self._others(position),
            structured=captioning.structured,
        )
        return lambda rank: region_prompt(self._wordings, rank, request)

    def _others(self, position: int) -> tuple[str, ...]:
        if not self._captioning.neighbours:
            return ()
        assert self._target is not None, "needed to name other regions"
        marked = marks_beside(position) if self._captioning.marked else ()
        return neighbours_of(self._target, position, marked)
