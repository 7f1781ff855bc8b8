"""The calibration of a judge's least probability, by the pairs by which a scorer is calibrated.

The judge is asked about captions of a region and of other regions, as a run asks it: text by text,
or sentence by sentence. An answer that is neither yes nor no counts as 0. Its answers are kept
beside the calibration's file, so that one that is repeated asks for nothing twice.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from typing import NamedTuple

import numpy as np
from PIL import Image

from pipelines.output.reader import read_manifest
from pipelines.recap.captioning.captioner import Captioner, NamedPicture, PromptImage, Request
from pipelines.recap.captioning.journal import ImageJournal, Journal
from pipelines.recap.captioning.journaled import JournaledCaptioner
from pipelines.recap.captioning.judged import pieces_of
from pipelines.recap.captioning.judging import ask_judge
from pipelines.recap.captioning.marked import MarkedRegion, MarkOptions, marked_pictures
from pipelines.recap.clip.calibrate import (
    CalibrationOptions,
    CalibrationRun,
    OnProgress,
    calibration_of,
    captions_of,
    sample_captions,
)
from pipelines.recap.clip.curve import curve
from pipelines.recap.clip.pairs import CaptionedRegion, Sampled, load_views
from pipelines.recipes.recap import Filter
from pipelines.recipes.recap_judge import CONTEXT, JudgeModel
from pipelines.storage import files
from prompts.recap_judge import judge_question
from schemas.ids import rank
from schemas.text import shown_name

_REPLIES = "replies.jsonl"
_BATCH = 64  # regions whose pictures are in memory


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeToCalibrate:
    """A judge whose probabilities are calibrated."""

    make: Callable[[], Captioner]  # called on an event loop
    kept: Filter  # names the judge, and says whether sentences are judged
    model: JudgeModel
    answers: str  # a local folder, in which its answers are kept


class _Pair(NamedTuple):
    """A unit of a caption, and the region about which the judge is asked."""

    kind: str
    region: CaptionedRegion
    pictures: tuple[NamedPicture, ...]
    unit: str

    @property
    def question(self) -> tuple[str, str, str]:
        """What the judge is asked: image, region and unit."""
        return self.region.image, self.region.region_id, self.unit


def calibrate_judge(
    output: str, judge: JudgeToCalibrate, options: CalibrationOptions, on_progress: OnProgress
) -> CalibrationRun:
    """Have matched, shuffled and hard pairs of a run's captions judged, and choose a probability.

    Args:
        output: the folder of a finished run.
        judge: the judge for which the probability is valid.
        options: the pairs to judge, and the errors that the probability may make.
        on_progress: function that is called when the pairs of some regions have been judged.

    Raises:
        UsageError: the folder holds no finished run, or a run with too few captions.
        BuildError: the judge can answer no more questions, or lets more foreign captions pass than
            is wanted; its answers so far are kept.
    """
    sampled = sample_captions(output, options)
    with Journal(files.join(judge.answers, _REPLIES)) as journal:
        values_by_kind = asyncio.run(_judge(sampled, judge, journal, on_progress))
    scores = {kind: np.array(values) for kind, values in values_by_kind.items()}
    errors = curve(scores["matched"], scores["shuffled"], most=1.0)
    limits = read_manifest(output).identity.recipe.get("filter") or {}
    return CalibrationRun(
        calibration_of(judge.kept.judged_by or "", options, scores, errors),
        errors,
        scores["matched"],
        scores["shuffled"],
        filtered=limits.get("judge_min") is not None,
        sharp_area=None,
    )


async def _judge(
    sampled: Sequence[Sampled], judge: JudgeToCalibrate, journal: Journal, on_progress: OnProgress
) -> dict[str, list[float]]:
    """Return the probabilities of all pairs, by kind."""
    captioner = judge.make()
    scores: dict[str, list[float]] = defaultdict(list)
    try:
        for begin in range(0, len(sampled), _BATCH):
            batch = sampled[begin : begin + _BATCH]
            view = partial(_pictures, max_pixels=judge.model.max_pixels)
            views = load_views([each.region for each in batch], view)
            pairs = list(_pairs(batch, views, by_sentence=judge.kept.judge_sentences))
            distinct = {pair.question: pair for pair in pairs}  # kinds of pairs share captions
            asked = (
                _probability(pair, judge.model, captioner, journal) for pair in distinct.values()
            )
            answers = dict(zip(distinct, await asyncio.gather(*asked), strict=True))
            for pair in pairs:
                scores[pair.kind].append(answers[pair.question])
            on_progress(begin + len(batch), len(sampled))
    finally:
        await captioner.close()
    return scores


def _pictures(
    region: CaptionedRegion, picture: Image.Image, max_pixels: int
) -> tuple[NamedPicture, ...]:
    """Return the pictures of a region for the judge, in which it alone is marked."""
    shown = MarkOptions("both", CONTEXT, max_pixels)
    return marked_pictures(picture, [MarkedRegion(region.box, region.mask)], shown)[0]


def _pairs(
    batch: Sequence[Sampled], views: Sequence[tuple[NamedPicture, ...]], *, by_sentence: bool
) -> Iterator[_Pair]:
    for each, pictures in zip(batch, views, strict=True):
        for kind, caption in captions_of(each):
            for unit in pieces_of(caption, by_sentence=by_sentence):
                yield _Pair(kind, each.region, pictures, unit)


async def _probability(
    pair: _Pair, model: JudgeModel, captioner: Captioner, journal: Journal
) -> float:
    """Return the probability that a unit is true; 0 where the judge says neither yes nor no."""
    region = pair.region
    class_name = shown_name(region.category) if region.category else None
    question = judge_question(pair.unit, 1, class_name)

    async def load_image() -> PromptImage:
        return PromptImage(None, named=pair.pictures)

    request = Request(
        id=f"{region.image}/region/{region.region_id}/judge/{model.digest(question)}",
        image_rank=rank("judge", region.image),
        prompt=question,
        load_image=load_image,
        max_tokens=model.max_tokens,
        yes_no=True,
    )
    shown = sha256(b"".join(picture.jpeg for picture in pair.pictures)).hexdigest()[:16]
    asked = JournaledCaptioner(captioner, ImageJournal(journal, shown), retry_refused=True)
    verdict = await ask_judge(asked, request)
    return verdict if isinstance(verdict, float) else 0.0
