"""The reader of training compared with plain Pillow, and the wait of a step for its rows.

Reader: rows of a build, checked, with their pictures decoded, made square and normalised, their
texts as tokens, their boxes or masks as weights of cells, joined to batches. Peer: the same JPEGs
from files, decoded, padded and resized to 336 pixels by Pillow, and nothing else. Both are one
process, and take turns every eight pictures; the ratio of a pair is one of processor seconds, as a
busy machine changes the wall time of both. In the second measure, a step of so many rows sleeps as
long as a GPU would compute, while workers read ahead.
"""

import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import torch
from PIL import Image

from bench.full_size_world.coco import write_photo_set
from model.config import RegionConfig
from model.presets import gpt4roi_7b, regiongpt_7b
from model.processor import RegionProcessor, processor_for
from train.data.build import Build
from train.data.example import RegionsAs, TrainingExample, TrainingRows
from train.data.loader import Loading, Schedule, load_steps
from train.data.rows import ShardRows
from train.stage0.tokenizer import train_tokenizer

PICTURES = 1000
TARGET = 0.8  # of the peer's pictures a second
STEP_SECONDS, TARGET_WAIT = 0.0243, 0.05  # of a row; the share of the time that steps wait
_SIDE, _BATCH, _WORKERS, _STEPS = 336, 8, 2, 40
_MEAN_COLOUR = (122, 116, 104)


def measure_reading(data: Path, pairs: int) -> None:
    """Draw and build what is missing, run the pairs, and print ratios and waits."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    photos = write_photo_set(data / "training_photos", PICTURES)
    build = photo_build(data)
    files = sorted(photos.pictures.iterdir())
    rows = ShardRows(build, build.shards("train"))
    texts = (message["content"] for row in rows for message in row["messages"])
    tokenizer = train_tokenizer(texts, vocabulary=1000)
    print(f"\nreading for training: {PICTURES:,} JPEGs of 640 x 480 pixels, 7.3 regions each")
    print(f"  target: {TARGET} of plain Pillow's rate; a wait below {TARGET_WAIT:.0%}", flush=True)
    kinds: tuple[tuple[RegionConfig, RegionsAs], ...]
    kinds = (regiongpt_7b(), "half"), (gpt4roi_7b(), "box")
    for config, regions_as in kinds:
        processor = processor_for(config, tokenizer)
        examples = TrainingRows(rows, processor, seed=0, regions_as=regions_as)
        ratios = list(_ratios(examples, processor, files, pairs))
        low, middle, high = min(ratios), statistics.median(ratios), max(ratios)
        wait = _wait(rows, processor, regions_as)
        print(
            f"  {config.model_type}: {middle:.2f} of plain Pillow's rate (from {low:.2f} to "
            f"{high:.2f} in {pairs} pairs){_missed(middle < TARGET)}; steps wait {wait:.1%} of "
            f"the time{_missed(wait > TARGET_WAIT)}",
            flush=True,
        )
    torch.set_num_threads(threads)


def _ratios(
    examples: TrainingRows, processor: RegionProcessor, files: list[Path], pairs: int
) -> Iterator[float]:
    """Yield our rate by the peer's, of each pair."""
    share = len(files) // pairs
    for pair in range(pairs):
        plain = ours = 0.0
        for first in range(pair * share, (pair + 1) * share - _BATCH + 1, _BATCH):
            numbers = range(first, first + _BATCH)
            started = time.process_time()
            for number in numbers:
                read_plainly(files[number])
            between = time.process_time()
            made = [examples[0, number] for number in numbers]
            processor.collate([row.example for row in made if isinstance(row, TrainingExample)])
            plain += between - started
            ours += time.process_time() - between
        yield plain / ours


def read_plainly(path: Path) -> Image.Image:
    """Return a picture, padded to a square of the mean colour and resized, as LLaVA does it."""
    with Image.open(path) as file:
        picture = file.convert("RGB")
    side = max(picture.size)
    square = Image.new("RGB", (side, side), _MEAN_COLOUR)
    square.paste(picture, ((side - picture.width) // 2, (side - picture.height) // 2))
    return square.resize((_SIDE, _SIDE), Image.Resampling.BICUBIC)


def _wait(rows: ShardRows, processor: RegionProcessor, regions_as: RegionsAs) -> float:
    """Return the share of the time that steps wait for their rows, once the workers are there."""
    schedule = Schedule(
        ids=rows.ids(), costs=rows.characters().astype(float), batch=_BATCH, epochs=1, seed=0
    )
    examples = TrainingRows(rows, processor, seed=0, regions_as=regions_as)
    loading = Loading(micro_batch=_BATCH, workers=_WORKERS)
    steps = load_steps(schedule.steps(), examples, processor, loading)
    next(steps)
    waited, begun = 0.0, time.perf_counter()
    asked = begun
    for _ in islice(steps, _STEPS):
        waited += time.perf_counter() - asked
        time.sleep(_BATCH * STEP_SECONDS)
        asked = time.perf_counter()
    return waited / (asked - begun)


def photo_build(data: Path) -> Build:
    """Return the build of the photographs, drawn and built unless it is there."""
    photos = write_photo_set(data / "training_photos", PICTURES)
    output = data / "training_shards"
    if not (output / "manifest.json").exists():
        command = [sys.executable, "-m", "pipelines", "build", "--sources", "coco"]
        command += ["--coco-annotations", str(photos.annotations)]
        command += ["--coco-images", str(photos.pictures), "--label-set", "COCO-80"]
        command += ["--style", "regiongpt", "--output", str(output)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return Build.open(output)


def _missed(missed: bool) -> str:
    return " MISSED" if missed else ""
