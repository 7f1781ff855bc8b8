"""One shard of RecapD: its images are captioned, scored, filtered, composed and written.

Answers and scores are in journals, so that a run that is killed in the middle of a shard goes on
where it was.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec.structs import replace

from pipelines.recap.captioning.captioner import Captioner
from pipelines.recap.captioning.images import CaptionImages, Outcome, region_key
from pipelines.recap.captioning.journal import (
    Journal,
    JournaledCaptioner,
    JournaledScorer,
    Notes,
    open_journals,
)
from pipelines.recap.captioning.two_stages import TwoStages
from pipelines.recap.captioning.views import Sights
from pipelines.recap.clip.filter import Scores, filter_outcome, score_outcomes
from pipelines.recap.clip.scorer import Scorer
from pipelines.recipes.recap import TASKS, RecapRecipe
from pipelines.shards.options import ShardKey, WriteOptions, shard_key
from pipelines.shards.pages import Page, pack_page
from pipelines.write import write_shard
from prompts.instruction import Instruction
from schemas.item import CaptionProvenance
from schemas.ledger import Stage
from schemas.manifest import Shard
from schemas.sample import Draft, ScreenedImage
from transforms.compose import compose_image
from transforms.ledger import Ledgers, StageLedger
from transforms.progress import Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardJob:
    """What captioning a shard needs beside its images."""

    recipe: RecapRecipe
    instruction: Instruction
    fingerprint: str  # of what decides captions
    again: bool  # ask once more what an earlier run got no answer to
    write: WriteOptions
    side_by_side: int  # images
    captioner: Captioner
    scorer: Scorer | None  # None: captions are not filtered


def caption_shard(
    key: ShardKey,
    images: Sequence[ScreenedImage],
    job: ShardJob,
    ledgers: Ledgers,
    run: Callable[[Any], Any],
) -> Shard:
    """Caption the images of a shard and write it.

    Args:
        key: of the shard.
        images: with the regions to caption, in any order.
        job: how.
        ledgers: of the stages caption, filter, compose and write.
        run: runs a coroutine to its end, on the loop the captioner lives on.
    """
    ordered = sorted(images, key=lambda found: shard_key(found.image)[1])
    places = [found.image for found in ordered]
    with open_journals(job.write.output, job.fingerprint, places) as journals:
        scorer = JournaledScorer(job.scorer) if job.scorer else None
        captioning = _caption(ordered, job, journals, scorer, ledgers[Stage.CAPTION])
        outcomes = {found.image.image.image_id: found for found in run(captioning)}
        settled = [outcomes[f.image.image_id] for f in ordered if f.image.image_id in outcomes]
        scores = score_outcomes(settled, scorer) if scorer else None
    drafts = [
        (shard_key(outcome.image.image)[1], draft)
        for outcome in settled
        if (draft := _draft(outcome, scores, job, ledgers)) is not None
    ]
    pages: list[Page] = [pack_page(drafts, job.write.images, job.write.stamp)]
    progress = Progress(Stage.WRITE)
    shard = write_shard(key, pages, job.write, ledgers[Stage.WRITE], progress)
    progress.flush()
    return shard


async def _caption(
    images: Sequence[ScreenedImage],
    job: ShardJob,
    journals: Mapping[str, Journal],
    scorer: JournaledScorer | None,
    ledger: StageLedger,
) -> list[Outcome]:
    how, progress = job.recipe.captioning, Progress(Stage.CAPTION)
    wordings = job.instruction.wordings

    def stages(notes: Notes) -> TwoStages:
        captioner = JournaledCaptioner(job.captioner, notes, again=job.again)
        return TwoStages(captioner, how, wordings, job.recipe.seed)

    at = images[0].image if images else None
    folder = job.write.pictures[at.source, at.split] if at else ""
    sights = Sights(
        folder=folder,
        context=how.context,
        max_pixels=how.max_pixels,
        scored=scorer is not None,
    )
    captioning = CaptionImages(stages, journals, sights, scorer, job.side_by_side, ledger)
    found = []
    async for outcome in captioning.run(images):
        found.append(outcome)
        progress.add()
    progress.flush()
    return found


def _draft(
    outcome: Outcome, scores: Scores | None, job: ShardJob, ledgers: Ledgers
) -> Draft | None:
    recipe = job.recipe
    kept = filter_outcome(outcome, scores, recipe.filter.threshold, ledgers[Stage.FILTER])
    if kept is None:
        return None
    draft = compose_image(kept, TASKS, job.instruction, ledgers[Stage.COMPOSE])
    if draft is None:
        return None
    by = _provenance(outcome, scores, job)
    talks = tuple(replace(talk, captioner=by) for talk in draft.conversations)
    return replace(draft, conversations=talks)


def _provenance(outcome: Outcome, scores: Scores | None, job: ShardJob) -> CaptionProvenance:
    """Return all that is needed to ask the same again."""
    how = job.recipe.captioning
    accepted = outcome.accepted()
    spoken = outcome.captions.global_caption
    sampling: dict[str, Any] = {
        **job.captioner.sampling,
        "context": how.context,
        "max_pixels": how.max_pixels,
        "global_tokens": how.global_tokens,
        "region_tokens": how.region_tokens,
        "global_prompt": spoken.prompt if spoken else None,
        "region_prompts": {key: caption.prompt for key, caption in accepted.items()},
    }
    if scores is not None:
        sampling["scorer"] = job.recipe.filter.scorer
        sampling["threshold"] = job.recipe.filter.threshold
        sampling["minimum_scores"] = {
            key: round(scores[region_key(outcome.image, key)].minimum, 6) for key in accepted
        }
    text = msgspec.json.encode(sampling, order="deterministic").decode()
    return CaptionProvenance(job.captioner.model, text, spoken.text if spoken else None)
