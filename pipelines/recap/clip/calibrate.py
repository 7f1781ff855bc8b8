"""Which threshold tells captions of a crop from captions of another one: `calibrate`.

Pairs are drawn from the shards of a run, by hash. A matched pair is a crop and its caption; a
shuffled pair is a crop and the caption of a region of another image.
"""

import heapq
from collections.abc import Callable, Iterator, Sequence
from io import BytesIO
from itertools import groupby, islice
from typing import NamedTuple, Self

import numpy as np
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from pipelines.output.reader import read_manifest
from pipelines.recap.captioning.views import SCORED_PIXELS
from pipelines.recap.clip.curve import Curve, Scores, curve, roc_area
from pipelines.recap.clip.scorer import Scorer
from pipelines.shards.reader import shard_batches
from pipelines.storage import files
from schemas.columns import regions_of
from schemas.errors import UsageError
from schemas.geometry import Box
from schemas.ids import rank
from transforms.crop import crop, encode_jpeg

LEAST_PAIRS = 20
BATCH_PAIRS = 64

OnProgress = Callable[[int, int], None]  # (done, total)


class Calibration(BaseModel):
    """A threshold, and what it does to the pairs it was chosen on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    threshold: FiniteFloat  # a caption whose mean similarity reaches it is kept
    false_accept: float = Field(ge=0, le=1)  # share of shuffled pairs that reach it
    false_reject: float = Field(ge=0, le=1)  # share of matched pairs that do not
    wanted_false_accept: float | None = Field(ge=0, le=1)  # None: best balance of the two
    roc_area: float = Field(ge=0, le=1)
    pairs: int = Field(ge=1)  # of either kind
    scorer: str  # identity
    seed: int

    def check_scorer(self, identity: str) -> Self:
        """Return itself, or raise `UsageError` where another scorer is used than it is for."""
        if identity != self.scorer:
            raise UsageError(
                f"the calibration is for the scorer {self.scorer!r}, this run scores with "
                f"{identity!r}: calibrate anew, or name the same --clip-model and --clip-weights"
            )
        return self


class Findings(NamedTuple):
    """What calibrating found."""

    calibration: Calibration
    curve: Curve
    matched: Scores
    shuffled: Scores
    filtered: bool  # captions that scored badly had been left out before


class _Region(NamedTuple):
    """A region with a caption, and where it stands."""

    rank: int
    path: str
    batch: int
    row: int
    box: Box  # xyxy, pixels of the stored image
    image: str  # source, split and id
    caption: str
    scored: bool


def load_calibration(path: str) -> Calibration:
    """Return what `calibrate` wrote, or raise `UsageError`."""
    try:
        with files.open_read(path) as file:
            return Calibration.model_validate_json(file.read())
    except OSError as error:
        raise UsageError(f"--calibration {path}: {error.strerror or error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise UsageError(
            f"--calibration {path}: {where}: {first['msg']}; expected what `calibrate` wrote"
        ) from None


def calibrate(
    output: str,
    scorer: Scorer,
    *,
    pairs: int,
    false_accept: float | None,
    seed: int,
    on_progress: OnProgress,
) -> Findings:
    """Score matched and shuffled pairs of a run's captions, and choose a threshold.

    Args:
        output: the folder of a finished run.
        scorer: whose threshold is wanted.
        pairs: of either kind at most.
        false_accept: share of shuffled pairs that may pass; None: the two shares weigh alike.
        seed: of the choice.
        on_progress: called as pairs are scored.

    Raises:
        UsageError: there is no finished run, it cannot be read, or holds too few captions.
    """
    paths = [files.join(output, shard.path) for shard in read_manifest(output).shards]
    drawn = _paired(heapq.nsmallest(pairs, _regions(paths, seed)))
    if len(drawn) < LEAST_PAIRS:
        raise UsageError(
            f"{output}: {len(drawn)} captions can be paired with one of another image, expected "
            f"{LEAST_PAIRS} or more: calibrate needs the output of `recap`, of more images"
        )
    scores: list[tuple[float, float]] = []
    for begin in range(0, len(drawn), BATCH_PAIRS):
        part = drawn[begin : begin + BATCH_PAIRS]
        crops = _crops([region for region, _ in part])
        own = scorer.score(crops, [region.caption for region, _ in part])
        other = scorer.score(crops, [caption for _, caption in part])
        scores += [(one.mean, two.mean) for one, two in zip(own, other, strict=True)]
        on_progress(len(scores), len(drawn))
    matched, shuffled = np.array(scores).T
    found = curve(matched, shuffled)
    at = found.balanced() if false_accept is None else found.accepting(false_accept)
    calibration = Calibration(
        threshold=float(found.thresholds[at]),
        false_accept=float(found.false_accepts[at]),
        false_reject=float(found.false_rejects[at]),
        wanted_false_accept=false_accept,
        roc_area=roc_area(matched, shuffled),
        pairs=len(drawn),
        scorer=scorer.identity,
        seed=seed,
    )
    filtered = any(region.scored for region, _ in drawn)
    return Findings(calibration, found, matched, shuffled, filtered)


def _regions(paths: Sequence[str], seed: int) -> Iterator[_Region]:
    """Yield every region that has a caption."""
    for path in paths:
        for number, batch in enumerate(shard_batches(path)):
            records = batch.column("id").to_pylist()
            for row, (record, regions) in enumerate(zip(records, regions_of(batch), strict=True)):
                for region in regions:
                    if region.caption is not None:
                        yield _Region(
                            rank=rank("calibrate", seed, record, region.region_id),
                            path=path,
                            batch=number,
                            row=row,
                            box=region.bbox,
                            image=record.rsplit("/", 2)[0],  # what follows is task and ordinal
                            caption=region.caption,
                            scored=region.score is not None,
                        )


def _paired(regions: Sequence[_Region]) -> list[tuple[_Region, str]]:
    """Return each region with the caption of the next one, in order of rank, that is not its own.

    That is one of another image and with other words; a region without any is left out.
    """
    drawn = []
    for place, region in enumerate(regions):
        for other in (*regions[place + 1 :], *regions[:place]):
            if other.image != region.image and other.caption != region.caption:
                drawn.append((region, other.caption))
                break
    return drawn


def _crops(regions: Sequence[_Region]) -> list[Image.Image]:
    """Return the crops of regions as they were scored, in the order of the regions."""
    found: dict[_Region, Image.Image] = {}
    for path, group in groupby(sorted(regions, key=_place), key=lambda region: region.path):
        wanted = list(group)
        for number, batch in enumerate(islice(shard_batches(path), wanted[-1].batch + 1)):
            for region in wanted:
                if region.batch == number:
                    data = batch.column("image")[region.row].as_py()["bytes"]
                    found[region] = _crop(region, data)
    return [found[region] for region in regions]


def _place(region: _Region) -> tuple[str, int, int]:
    return region.path, region.batch, region.row


def _crop(region: _Region, data: bytes | None) -> Image.Image:
    if data is None:
        raise UsageError(f"{region.path}: refers to images; calibrate needs shards that hold them")
    try:
        with Image.open(BytesIO(data)) as opened:
            picture = opened.convert("RGB")
    except (OSError, Image.DecompressionBombError) as error:
        raise UsageError(f"{region.path}, {region.image}: {error}. See what verify says.") from None
    with Image.open(BytesIO(encode_jpeg(crop(picture, region.box, 0.0), SCORED_PIXELS))) as small:
        return small.convert("RGB")
