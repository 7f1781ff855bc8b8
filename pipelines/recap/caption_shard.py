"""The work on one shard of RecapD: caption, judge, score, filter, compose and write its images.

Answers and scores are kept in journals, so that a run that was killed in the middle of a shard
can be repeated without repeating its calls.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import msgspec
from msgspec.structs import replace

from pipelines.recap.captioning.captioner import Captioner
from pipelines.recap.captioning.filter import (
    Scores,
    choose_similar,
    filter_captions,
    score_captions,
)
from pipelines.recap.captioning.images import CaptionOutcome, ImageCaptioner, RegionCaptioner
from pipelines.recap.captioning.journal import ImageJournal, Journal
from pipelines.recap.captioning.journal_files import journal_paths, open_journals
from pipelines.recap.captioning.journaled import JournaledCaptioner, JournaledScorer
from pipelines.recap.captioning.judging import JudgedCaptioner
from pipelines.recap.captioning.segments import shard_journals
from pipelines.recap.captioning.two_stages import TwoStageCaptioner
from pipelines.recap.captioning.views import CropOptions
from pipelines.recap.clip.scorer import Scorer
from pipelines.recap.repeats import LeftOut, sketch_captions
from pipelines.recap.sizes import size_counts
from pipelines.recipes.recap import TASKS, RecapRecipe
from pipelines.shards.options import ShardKey, WriteOptions, shard_key
from pipelines.shards.pages import PackedImage
from pipelines.write import write_shard
from prompts.instruction import Instruction
from schemas.item import CaptionProvenance
from schemas.layout import shard_path
from schemas.ledger import Stage
from schemas.manifest import AgreementCount, RepeatCount, Shard
from schemas.rejection import Reason
from schemas.sample import Draft, Region, ScreenedImage
from transforms.compose import compose_image
from transforms.ledger import Ledgers, StageLedger
from transforms.masks import add_masks
from transforms.progress import Progress
from transforms.subsample import CategoryKey


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardJob:
    """The options and tools for captioning a shard; all shards of a run share them."""

    recipe: RecapRecipe
    instruction: Instruction
    fingerprints: tuple[str, ...]  # digests that name the journals
    segmented: bool  # journals are written as segments, not appended to
    retry_refused: bool  # repeat requests that servers refused in an earlier run
    write: WriteOptions
    concurrent_images: int
    captioner: Captioner
    scorer: Scorer | None  # None: captions are not scored
    judge: Captioner | None  # None: captions are not judged
    run: Callable[[Any], Any]  # runs a coroutine to its end on the captioner's event loop


class _CaptionedImage(msgspec.Struct, frozen=True, array_like=True):
    """An image whose regions have captions, packed for the writer."""

    screened: ScreenedImage
    captioner: CaptionProvenance


@dataclass(frozen=True, slots=True)
class _Filtered:
    """The captions of a shard's images, and what the filter keeps of them."""

    outcomes: list[CaptionOutcome]
    scores: Scores | None
    kept: list[tuple[CaptionOutcome, ScreenedImage]]


def sketch_shard(
    key: ShardKey, images: Sequence[ScreenedImage], job: ShardJob
) -> Iterator[tuple[CategoryKey, bytes]]:
    """Caption the images of a shard, and yield for each class the sketches of the captions kept.

    Args:
        key: source and split, index of the shard, and number of shards.
        images: the images of the shard with the regions to caption, in order.
        job: the options and tools, the same for all shards of the run.
    """
    filtered = _captions_kept(key, images, job, {}, Ledgers())
    kept = (screened for _, screened in filtered.kept)
    yield from sketch_captions(kept, shard_path(*key), job.recipe.seed)


def caption_shard(
    key: ShardKey,
    images: Sequence[ScreenedImage],
    job: ShardJob,
    repeats: Mapping[tuple[str, str], LeftOut],
    ledgers: Ledgers,
) -> Shard:
    """Caption the images of a shard and write the shard.

    Args:
        key: source and split, index of the shard, and number of shards.
        images: the images of the shard with the regions to caption, in order.
        job: the options and tools, the same for all shards of the run.
        repeats: captions that repeat others, by the ids of image and region.
        ledgers: the ledgers of the stages.
    """
    filtered = _captions_kept(key, images, job, repeats, ledgers)
    packed = [
        _packed(screened, _provenance(outcome, filtered.scores, job.recipe))
        for outcome, screened in filtered.kept
    ]

    def compose(content: bytes, ledgers: Ledgers) -> Draft | None:
        return _draft(_DECODER.decode(content), job.instruction, ledgers)

    shard = write_shard(key, packed, compose, job.write, ledgers)
    kept = list(_regions(screened for _, screened in filtered.kept))
    counted = {
        "sizes": size_counts(
            _regions(images),
            (region for outcome in filtered.outcomes for region in outcome.accepted_regions()),
            kept,
        ),
        "agreement": _agreement(filtered.outcomes),
        "repeats": _repeats(len(kept), repeats) if job.recipe.filter.compares else None,
    }
    return shard.model_copy(update=counted)


def _captions_kept(
    key: ShardKey,
    images: Sequence[ScreenedImage],
    job: ShardJob,
    repeats: Mapping[tuple[str, str], LeftOut],
    ledgers: Ledgers,
) -> _Filtered:
    """Caption, judge, score and filter the images of a shard."""
    infos = [screened.image for screened in images]
    paths = journal_paths(job.write.output, job.fingerprints, infos)
    made = shard_journals(job.write.output, key) if job.segmented else nullcontext(Journal)
    with made as make, open_journals(paths, make) as journals:
        view = job.recipe.filter.scored_by
        scorer = JournaledScorer(job.scorer, view) if job.scorer and view else None
        captioning = _caption(images, job, journals, scorer, ledgers[Stage.CAPTION])
        by_id = {outcome.screened.image.image_id: outcome for outcome in job.run(captioning)}
        outcomes = [by_id[info.image_id] for info in infos if info.image_id in by_id]
        scores = score_captions(outcomes, scorer) if scorer else None
    limits = job.recipe.filter
    if scores is not None:
        outcomes = [choose_similar(outcome, scores, limits) for outcome in outcomes]
    filtered = [
        (outcome, filter_captions(outcome, scores, limits, repeats, ledgers[Stage.FILTER]))
        for outcome in outcomes
    ]
    kept = [(outcome, screened) for outcome, screened in filtered if screened is not None]
    return _Filtered(outcomes, scores, kept)


def _repeats(kept: int, repeats: Mapping[tuple[str, str], LeftOut]) -> RepeatCount:
    alike = sum(each.reason is Reason.CAPTION_ALIKE for each in repeats.values())
    return RepeatCount(captions=kept + len(repeats), alike=alike, openings=len(repeats) - alike)


def _agreement(outcomes: Sequence[CaptionOutcome]) -> AgreementCount | None:
    """Return how well captions of the same regions agree; None where none was drawn twice."""
    values = [
        caption.agreement
        for outcome in outcomes
        for caption in outcome.accepted().values()
        if caption.agreement is not None
    ]
    return AgreementCount(regions=len(values), total=round(sum(values), 4)) if values else None


def _regions(images: Iterable[ScreenedImage]) -> Iterator[Region]:
    return (region for screened in images for region in screened.regions)


async def _caption(
    images: Sequence[ScreenedImage],
    job: ShardJob,
    journals: Mapping[str, Journal],
    scorer: JournaledScorer | None,
    ledger: StageLedger,
) -> list[CaptionOutcome]:
    captioning, progress = job.recipe.captioning, Progress(Stage.CAPTION)
    wordings = job.instruction.wordings

    def captioner_of(journal: ImageJournal) -> RegionCaptioner:
        asked = partial(JournaledCaptioner, journal=journal, retry_refused=job.retry_refused)
        stages = TwoStageCaptioner(
            asked(job.captioner), captioning, wordings, job.recipe.seed, job.recipe.min_words or 0
        )
        if job.judge is None and not job.recipe.filter.measured_checks:
            return stages
        return JudgedCaptioner(stages, asked(job.judge) if job.judge else None, job.recipe)

    first = images[0].image if images else None
    folder = job.write.pictures[first.source, first.split] if first else ""
    options = CropOptions.of(job.recipe, folder, scored=scorer is not None)
    captioner = ImageCaptioner(
        captioner_of, journals, options, scorer, job.concurrent_images, ledger
    )
    outcomes = []
    async for outcome in captioner.run(images):
        outcomes.append(outcome)
        progress.add()
    progress.flush()
    return outcomes


def _packed(screened: ScreenedImage, captioner: CaptionProvenance) -> PackedImage:
    _, position = shard_key(screened.image)
    content = _ENCODER.encode(_CaptionedImage(screened, captioner))
    return PackedImage(position, screened.image.image_id, content)


def _draft(captioned: _CaptionedImage, instruction: Instruction, ledgers: Ledgers) -> Draft | None:
    screened = add_masks(captioned.screened, ledgers[Stage.SCREEN])
    draft = compose_image(screened, TASKS, instruction, ledgers[Stage.COMPOSE])
    if draft is None:
        return None
    talks = tuple(replace(talk, captioner=captioned.captioner) for talk in draft.conversations)
    return replace(draft, conversations=talks)


def _provenance(
    outcome: CaptionOutcome, scores: Scores | None, recipe: RecapRecipe
) -> CaptionProvenance:
    """Return the model, sampling and prompts with which an image's captions were made."""
    captioning, accepted = recipe.captioning, outcome.accepted()
    whole = outcome.captions.global_caption
    sampling: dict[str, Any] = {
        **captioning.sampling,
        "context": captioning.context,
        "max_pixels": captioning.max_pixels,
        "global_tokens": captioning.global_tokens,
        "region_tokens": captioning.region_tokens,
        "global_prompt": whole.prompt if whole else None,
        "region_prompts": {key: caption.prompt for key, caption in accepted.items()},
    }
    if captioning.samples > 1:
        sampling["samples"] = captioning.samples
        sampling["chosen_by"] = recipe.filter.chosen_by
        sampling["agreement"] = {key: caption.agreement for key, caption in accepted.items()}
    if scores is not None:
        sampling["threshold"] = recipe.filter.threshold
        if recipe.filter.threshold_min is not None:
            sampling["threshold_min"] = recipe.filter.threshold_min
    if recipe.filter.judge_model:
        sampling["judge"] = recipe.filter.judged_by
        sampling["judge_min"] = recipe.filter.judge_min
    text = msgspec.json.encode(sampling, order="deterministic").decode()
    return CaptionProvenance(
        model=captioning.captioner_model,
        sampling=text,
        global_caption=whole.text if whole else None,
        judge_model=recipe.filter.judge_model or None,
        scorer=recipe.filter.scored_by,
    )


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(_CaptionedImage)
