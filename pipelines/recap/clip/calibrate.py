"""The calibration of a threshold between scores of true captions and of other crops' captions.

Pairs are sampled from the shards of a run, by hash. A matched pair is a crop and its caption; a
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
from pipelines.recap.clip.crops import clip_crop
from pipelines.recap.clip.curve import Curve, Scores, curve, roc_area
from pipelines.recap.clip.scorer import Scorer
from pipelines.shards.reader import shard_batches
from pipelines.storage import files
from schemas.columns import regions_of
from schemas.errors import UsageError
from schemas.geometry import Box
from schemas.ids import image_of, rank

_MIN_PAIRS = 20
_BATCH_PAIRS = 64

OnProgress = Callable[[int, int], None]  # number of pairs scored so far, number of all pairs


class Calibration(BaseModel):
    """A threshold, and its error rates on the pairs by which it was chosen."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    threshold: FiniteFloat  # captions are kept if their mean similarity reaches it
    false_accept: float = Field(ge=0, le=1)  # share of shuffled pairs that pass
    false_reject: float = Field(ge=0, le=1)  # share of matched pairs that fail
    wanted_false_accept: float | None = Field(ge=0, le=1)  # None: minimise both
    roc_area: float = Field(ge=0, le=1)
    pairs: int = Field(ge=1)  # number of matched pairs, and of shuffled pairs
    scorer: str  # identity of the scorer
    seed: int

    def check_scorer(self, identity: str) -> Self:
        """Return the calibration, or raise `UsageError` if it was made with another scorer."""
        if identity != self.scorer:
            raise UsageError(
                f"the calibration is for the scorer {self.scorer!r}, this run scores with "
                f"{identity!r}: calibrate anew, or name the same --clip-model and --clip-weights"
            )
        return self


class CalibrationRun(NamedTuple):
    """A calibration, and the scores of the pairs by which its threshold was chosen."""

    calibration: Calibration
    curve: Curve
    matched: Scores
    shuffled: Scores
    filtered: bool  # the run's captions had been filtered by score already


class _Region(NamedTuple):
    """A region with a caption, and the region's position in the shards."""

    rank: int
    path: str
    batch: int
    row: int
    box: Box  # xyxy, pixels of the stored image
    image: str  # source, split and id of the image: coco/train/7
    caption: str
    scored: bool


def load_calibration(path: str, flag: str = "--calibration") -> Calibration:
    """Return the calibration in a JSON file, or raise `UsageError` if it cannot be read.

    Args:
        path: path of the file.
        flag: the flag that named the file, for messages.
    """
    try:
        with files.open_read(path) as file:
            return Calibration.model_validate_json(file.read())
    except OSError as error:
        raise UsageError(f"{flag} {path}: {error.strerror or error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise UsageError(
            f"{flag} {path}: {where}: {first['msg']}; expected what `regionforge calibrate` wrote"
        ) from None


def calibrate(
    output: str,
    scorer: Scorer,
    *,
    pairs: int,
    false_accept: float | None,
    seed: int,
    on_progress: OnProgress,
) -> CalibrationRun:
    """Score matched and shuffled pairs of a run's captions, and choose a threshold.

    Args:
        output: the folder of a finished run.
        scorer: the scorer of the pairs, for which the threshold is valid.
        pairs: maximum number of matched pairs, and of shuffled pairs.
        false_accept: share of shuffled pairs that may pass; None: minimise the sum of both errors.
        seed: seed of the sample of pairs.
        on_progress: function that is called when pairs have been scored.

    Raises:
        UsageError: the folder holds no finished run, or a run with too few captions.
    """
    paths = [files.join(output, shard.path) for shard in read_manifest(output).shards]
    sampled = _with_others(heapq.nsmallest(pairs, _regions(paths, seed)))
    if len(sampled) < _MIN_PAIRS:
        raise UsageError(
            f"{output}: {len(sampled)} captions can be paired with one of another image, expected "
            f"{_MIN_PAIRS} or more: it takes the output of `regionforge recap`, of more images"
        )
    scores: list[tuple[float, float]] = []
    for begin in range(0, len(sampled), _BATCH_PAIRS):
        scores += _score(scorer, sampled[begin : begin + _BATCH_PAIRS])
        on_progress(len(scores), len(sampled))
    matched, shuffled = np.array(scores).T
    errors = curve(matched, shuffled)
    index = errors.balanced() if false_accept is None else errors.accepting(false_accept)
    calibration = Calibration(
        threshold=float(errors.thresholds[index]),
        false_accept=float(errors.false_accepts[index]),
        false_reject=float(errors.false_rejects[index]),
        wanted_false_accept=false_accept,
        roc_area=roc_area(matched, shuffled),
        pairs=len(sampled),
        scorer=scorer.identity,
        seed=seed,
    )
    filtered = any(region.scored for region, _ in sampled)
    return CalibrationRun(calibration, errors, matched, shuffled, filtered)


def _score(scorer: Scorer, pairs: Sequence[tuple[_Region, str]]) -> list[tuple[float, float]]:
    """Return, for each pair of a region and another caption, the mean scores (true, other)."""
    crops = _crops([region for region, _ in pairs])
    matched = scorer.score(crops, [region.caption for region, _ in pairs])
    shuffled = scorer.score(crops, [caption for _, caption in pairs])
    return [(true.mean, false.mean) for true, false in zip(matched, shuffled, strict=True)]


def _regions(paths: Sequence[str], seed: int) -> Iterator[_Region]:
    """Yield every region with a caption in the shards."""
    for path in paths:
        for number, batch in enumerate(shard_batches(path)):
            ids = batch.column("id").to_pylist()
            for row, (record_id, regions) in enumerate(zip(ids, regions_of(batch), strict=True)):
                for region in regions:
                    if region.caption is not None:
                        yield _Region(
                            rank=rank("calibrate", seed, record_id, region.region_id),
                            path=path,
                            batch=number,
                            row=row,
                            box=region.bbox,
                            image=image_of(record_id),
                            caption=region.caption,
                            scored=any(each.clip is not None for each in region.captions),
                        )


def _with_others(regions: Sequence[_Region]) -> list[tuple[_Region, str]]:
    """Return each region with the caption of another region, as a shuffled pair.

    The other region is the next in rank that has another image and another caption; a region
    without such a partner is left out.
    """
    pairs = []
    for index, region in enumerate(regions):
        for other in (*regions[index + 1 :], *regions[:index]):
            if other.image != region.image and other.caption != region.caption:
                pairs.append((region, other.caption))
                break
    return pairs


def _crops(regions: Sequence[_Region]) -> list[Image.Image]:
    """Return the crops of regions as the filter makes them, in the order of the regions."""
    crops: dict[_Region, Image.Image] = {}
    for path, group in groupby(sorted(regions, key=_position), key=lambda region: region.path):
        wanted = list(group)
        for number, batch in enumerate(islice(shard_batches(path), wanted[-1].batch + 1)):
            for region in wanted:
                if region.batch == number:
                    data = batch.column("image")[region.row].as_py()["bytes"]
                    crops[region] = _crop(region, data)
    return [crops[region] for region in regions]


def _position(region: _Region) -> tuple[str, int, int]:
    return region.path, region.batch, region.row


def _crop(region: _Region, data: bytes | None) -> Image.Image:
    if data is None:
        raise UsageError(f"{region.path}: refers to images; calibrate needs shards that hold them")
    try:
        with Image.open(BytesIO(data)) as opened:
            picture = opened.convert("RGB")
    except (OSError, Image.DecompressionBombError) as error:
        raise UsageError(
            f"{region.path}, {region.image}: {error}. `regionforge verify` says more."
        ) from None
    with Image.open(BytesIO(clip_crop(picture, region.box))) as crop:
        return crop.convert("RGB")
