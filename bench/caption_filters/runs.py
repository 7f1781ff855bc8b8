"""Runs of `recap` on the sample world with the scripted captioner and judge."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.caption_filters.actors import Samples, ScriptedCaptioner, ScriptedJudge
from bench.caption_filters.mistakes import caption_of
from pipelines.datasets.spec import SourceRequest
from pipelines.output.reader import read_manifest
from pipelines.recap.clip.calibrate import CalibrationOptions, calibrate, sample_captions
from pipelines.recap.clip.open_clip import ClipScorer
from pipelines.recap.flow import CaptionTools
from pipelines.recap.plan import make_recap_plan
from pipelines.recap.run import run_recap
from pipelines.recipes.recap import Captioning, Filter, RecapRecipe
from pipelines.sample_world.coco import pictures, things, write_coco
from pipelines.sample_world.look import HARD
from pipelines.sample_world.scene import World
from pipelines.shards.reader import shard_batches
from pipelines.storage import files
from schemas.columns import regions_of

CLIP = partial(ClipScorer, "small", "", "cpu")
JUDGED: dict[str, Any] = {"judge_model": "scripted", "judge_min": 0.5}
BY_SENTENCE: dict[str, Any] = {**JUDGED, "judge_sentences": True}


@dataclass(frozen=True, slots=True)
class Simulation:
    """A sample world in a folder, and the captions of its things."""

    folder: str
    captions: Samples

    def kept_by(self, name: str, kept: Filter, captions: Samples | None = None) -> dict[str, str]:
        """Return the captions that a run with some filters keeps, by region id.

        Args:
            name: the name of the run, of which each is in a folder of its own.
            kept: the filters.
            captions: what is captioned in place of the simulation's captions.
        """
        captioned = captions or self.captions
        samples = len(next(iter(captioned.values())))
        recipe = RecapRecipe(
            sources=(SourceRequest(name="coco", label_set="Shapes-15"),),
            captioning=Captioning(model="scripted", global_caption=False, samples=samples),
            filter=kept,
        )
        tools = CaptionTools(
            captioner=partial(ScriptedCaptioner, captioned),
            scorer=CLIP if kept.scorer else None,
            concurrent_images=4,
            judge=partial(ScriptedJudge, captioned) if kept.judge_model else None,
        )
        output = f"{self.folder}/{name}"
        run_recap(recipe, make_recap_plan(recipe, self.folder, output), tools)
        paths = [files.join(output, shard.path) for shard in read_manifest(output).shards]
        return {
            region.region_id: region.caption or ""
            for path in paths
            for batch in shard_batches(path)
            for regions in regions_of(batch)
            for region in regions
        }

    def calibrated(self, name: str) -> dict[str, Any]:
        """Return the filter by CLIP, with the threshold that a run's captions give."""
        scorer, options = CLIP(), CalibrationOptions(pairs=500)
        sampled = sample_captions(f"{self.folder}/{name}", options)
        calibration = calibrate(sampled, scorer, options, lambda done, total: None).calibration
        return {"threshold": calibration.threshold, "scorer": scorer.identity}


@contextmanager
def simulation(number: int, seed: int, samples: int = 1) -> Iterator[Simulation]:
    """Yield a simulation with a number of pictures, and so many captions of each thing."""
    world = World(seed=seed, pictures=number, look=replace(HARD, odd=False))
    with TemporaryDirectory() as folder:
        write_coco(Path(folder), world)
        captions = {
            str(record["id"]): [
                caption_of(picture.scene, index, seed, sample) for sample in range(samples)
            ]
            for picture in pictures(world)
            for index, record in enumerate(things(picture))
        }
        yield Simulation(folder, captions)
