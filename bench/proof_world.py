"""Sample worlds to learn, and their builds, made once below `bench/data/learns`."""

import subprocess
import sys
from pathlib import Path

from pipelines.sample_world import write_world
from pipelines.sample_world.scene import World
from pipelines.sample_world.v3det import write_v3det
from pipelines.sample_world.world import LOOKS, PICTURES, Preset, Size
from train.data.build import Build

DATA = Path(__file__).parent / "data" / "learns"
HELD_OUT = 7  # added to the seed of a world to train on: the seed of the world to judge by
_V3DET = "v3det/annotations"


def v3det_world(data: Path, preset: Preset, size: Size, seed: int) -> Path:
    """Return the folder of a world with V3Det alone, drawn unless it is there."""
    world = data / f"{preset}-{size}-{seed}"
    if not (world / _V3DET).exists():
        report(f"drawing {world}")
        pictures = PICTURES[preset][size]
        write_v3det(world, World(seed=seed, pictures=pictures, look=LOOKS[preset]))
    return world


def whole_world(data: Path, size: Size, seed: int) -> Path:
    """Return the folder of a world with all data sets, drawn unless it is there."""
    world = data / f"whole-{size}-{seed}"
    if not (world / _V3DET).exists():
        report(f"drawing {world}")
        write_world(world, size, seed=seed, preset="proof")
    return world


def built(data: Path, name: str, world: Path, flags: tuple[str, ...]) -> Build:
    """Return the build of a world, made unless it is there."""
    output = data / f"{name}-{world.name}"
    if not (output / "manifest.json").exists():
        folders = ["--data-root", str(world), "--output", str(output)]
        command = [sys.executable, "-m", "pipelines", "build", *flags, *folders]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return Build.open(output)


def report(line: str) -> None:
    """Print a line of progress."""
    print(line, flush=True)
