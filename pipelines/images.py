"""Images: the steps that each image passes between reading and writing, in order.

    PrepareImage    guard     an image that an evaluation uses is left out
                    frames    an image gets the size of the frame that its regions are in
                    screen    regions and items that cannot be used are left out
                    sample    the caps; they need the ranks of a whole split (transforms.subsample)
                    grouping by shard (pipelines.write)
    ComposeImage    masks     the segmentations of its regions become run lengths
                    attach    the captions of its regions are looked up
                    compose   the image becomes a draft, which holds its conversations

A step is a pure function that counts and rejects in the ledger of its stage. A build runs the steps
on workers, batch by batch and then shard by shard; a dry run, and the estimate of `recap`, call
them image by image in one process.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from apache_beam.pvalue import PCollection

from pipelines.captions.attach import attach_captions
from pipelines.captions.lookup import CaptionLookup
from pipelines.frames import Frames
from pipelines.plan import Plan
from prompts.instruction import Instruction
from schemas.ledger import Stage
from schemas.rejection import Rejected
from schemas.sample import Draft, ScreenedImage, Task
from schemas.source import MaskVariant, SourceImage
from transforms.compose import compose_image
from transforms.guard import Forbidden, PictureName, guard_image
from transforms.ledger import Ledgers
from transforms.masks import add_masks
from transforms.screen import screen_image
from transforms.stage import StageDoFn, StageOutputs, StageTransform, run_stage


@dataclass(frozen=True, slots=True)
class PrepareImage:
    """The steps before sampling: guard, frames, then screen."""

    picture_names: Mapping[tuple[str, str], PictureName]  # by source and guarded split
    forbidden: Forbidden
    min_side: int = 0  # of a region's box, pixels
    frames: Frames = field(default_factory=Frames)

    @classmethod
    def of(cls, plan: Plan) -> "PrepareImage":
        """Return the steps of a plan."""
        guard = plan.guard
        frames = Frames.of(plan.splits)
        return cls(guard.picture_names, guard.forbidden, plan.resolved.min_side, frames)

    def __call__(self, source_image: SourceImage, ledgers: Ledgers) -> ScreenedImage | None:
        """Return the image with its usable regions and items; None where it is left out."""
        image = source_image.image
        name = self.picture_names.get((image.source, image.split))
        if name is not None:
            guard = ledgers[Stage.GUARD]
            if not guard_image(source_image, name, self.forbidden, guard):
                return None
        screen = ledgers[Stage.SCREEN]
        try:
            source_image = self.frames(source_image, screen)
        except Rejected as cause:
            screen.read_source_image(source_image)
            screen.reject_source_image(source_image, cause)
            return None
        return screen_image(source_image, screen, self.min_side)


@dataclass(frozen=True, slots=True)
class ComposeImage:
    """The steps after the grouping: masks, attach, then compose."""

    masks: MaskVariant
    captions: CaptionLookup
    tasks: Mapping[str, Sequence[Task]]  # by source
    instruction: Instruction

    @classmethod
    def of(cls, plan: Plan) -> "ComposeImage":
        """Return the steps of a plan."""
        captions = CaptionLookup(plan.splits)
        resolved = plan.resolved
        return cls(plan.recipe.masks, captions, resolved.tasks, resolved.instruction)

    def __call__(self, screened: ScreenedImage, ledgers: Ledgers) -> Draft | None:
        """Return the image's conversations, or None where no task makes a conversation."""
        screened = add_masks(screened, ledgers[Stage.SCREEN], self.masks)
        captions = self.captions.of(screened.image)
        if captions is not None:
            screened = attach_captions(screened, captions, ledgers[Stage.CAPTION])
        tasks = self.tasks[screened.image.source]
        return compose_image(screened, tasks, self.instruction, ledgers[Stage.COMPOSE])


class _Prepare(StageDoFn[list[SourceImage], list[ScreenedImage]]):
    stage = Stage.SCREEN

    def __init__(self, prepare: PrepareImage) -> None:
        self._prepare = prepare

    def results(self, element: list[SourceImage]) -> Iterator[list[ScreenedImage]]:
        """Yield the images of a batch that the steps keep."""
        prepared = [self._prepare(image, self.ledgers) for image in element]
        images = [image for image in prepared if image is not None]
        yield images
        self.progress.add(len(images))


@dataclass
class PrepareImages(
    StageTransform[PCollection[list[SourceImage]], StageOutputs[list[ScreenedImage]]]
):
    """Batches of SourceImage -> batches of ScreenedImage, by the steps before sampling."""

    prepare: PrepareImage

    def expand(self, pcoll: PCollection[list[SourceImage]]) -> StageOutputs[list[ScreenedImage]]:
        """Apply the steps to every image."""
        return run_stage(pcoll, _Prepare(self.prepare))
