"""What all tests share: an offline, deterministic setting, and the real samples if any."""

import atexit
import gc
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Generator, Iterator
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from hypothesis import settings
from msgspec.structs import replace

from schemas.sample import ImageInfo
from tests.forks import Forks

CHECKOUT = Path(__file__).resolve().parent.parent
MadeOnce = Callable[[str, Callable[[Path], object]], Path]

# Before any test imports `datasets`, which reads these once: never the network, never the user's
# cache, and a cache for each xdist worker, in that of the process which starts them: workers end
# without a chance to remove anything.
IS_WORKER = "PYTEST_XDIST_WORKER" in os.environ
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_HOME"] = tempfile.mkdtemp(
    prefix="regionforge-hf-", dir=os.environ["HF_HOME"] if IS_WORKER else None
)
atexit.register(shutil.rmtree, os.environ["HF_HOME"], ignore_errors=True)

# Tests run in several processes at once, and so do those that they start: a second thread of each
# would only wait for a processor, and keep it busy while it does.
os.environ["OMP_NUM_THREADS"] = "1"

# A run in the background, as of a script's `&`, ignores SIGINT, and so would all that it starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Builds are slow beside hypothesis' default deadline. In CI a failure must be the commit's doing.
settings.register_profile("local", deadline=None, print_blob=True)
settings.register_profile("ci", deadline=None, print_blob=True, derandomize=True, database=None)
settings.load_profile("ci" if os.environ.get("CI") else "local")


def samples_folder() -> Path | None:
    """The folder of real samples, or None where there is none.

    A variable that points nowhere is an error: tests must not vanish because of a typo.
    """
    named = os.environ.get("REGIONFORGE_SAMPLES")
    folder = Path(named) if named else CHECKOUT.parent / "shared" / "samples"
    if folder.is_dir():
        return folder.resolve()
    if named:
        raise pytest.UsageError(f"REGIONFORGE_SAMPLES={named} is not a folder")
    return None


def pytest_report_header() -> str:
    folder = samples_folder()
    return f"real samples: {folder or 'absent, tests that need them are skipped by name below'}"


@pytest.hookimpl(optionalhook=True)  # not every environment has xdist
def pytest_xdist_auto_num_workers() -> int | None:
    """The number of workers: a process more than processors, as many tests wait for other ones."""
    if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ or not hasattr(os, "sched_getaffinity"):
        return None  # it is for xdist to say
    return len(os.sched_getaffinity(0)) + 1


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Have the garbage collector leave alone all that is there once tests are collected.

    It would search the modules of a million objects and more again and again, for nothing.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> Generator[None, object, object]:
    """Have processes that tests start forked from this one as it is now, which spares imports."""
    is_controller = session.config.getoption("dist", "no") != "no" and not IS_WORKER
    if is_controller or not session.items:
        return (yield)
    Forks.of_tests = Forks(quick_beam=True)
    try:
        return (yield)
    finally:
        Forks.of_tests.end()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Have tests that may take longer than others, by the limits that they state, come first.

    In the end a worker would run one of them while the others have nothing left to do.
    """
    usual = float(items[0].config.getini("timeout")) if items else 0.0

    def is_usual(item: pytest.Item) -> bool:
        limit = item.get_closest_marker("timeout")
        return limit is None or limit.args[0] <= usual

    items.sort(key=is_usual)


@pytest.fixture(scope="session")
def forks() -> Forks:
    """Starts processes that are forked from this one as it was before the first test."""
    return Forks.of_tests


@pytest.fixture(scope="session", autouse=True)
def quick_beam() -> Iterator[None]:
    """Spares Beam, where it is imported, what it does again and again for every pipeline."""
    if "apache_beam" not in sys.modules:
        yield
        return
    from tests.quick_beam import make_beam_quick

    with pytest.MonkeyPatch.context() as patch:
        make_beam_quick(patch.setattr)
        yield


@pytest.fixture(scope="session")
def samples() -> Path:
    """Real files as their owners ship them; read-only."""
    folder = samples_folder()
    if folder is None:
        pytest.skip("no real samples: set REGIONFORGE_SAMPLES to their folder")
    return folder


@pytest.fixture(scope="session")
def make_image():
    """Makes what is said of an image of 20 x 10 pixels, with some of it changed."""
    image = ImageInfo(
        source="coco",
        split="train",
        image_id="7",
        file_name="7.jpg",
        folder="coco/train",
        width=20,
        height=10,
        size_bytes=100,
        licence="CC BY 4.0",
        shards=1,
    )

    def make(**changes: Any) -> ImageInfo:
        return replace(image, **changes)

    return make


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> MadeOnce:
    """Makes a folder once for all workers of xdist, by its name; it is read-only afterwards."""
    root = tmp_path_factory.getbasetemp()
    if IS_WORKER:
        root = root.parent  # the run's

    def make_once(name: str, make: Callable[[Path], object]) -> Path:
        folder = root / "shared" / name
        folder.parent.mkdir(exist_ok=True)
        with FileLock(f"{folder}.lock"):
            if not folder.exists():
                unfinished = folder.with_name(f"{name}.unfinished")
                shutil.rmtree(unfinished, ignore_errors=True)
                unfinished.mkdir()
                make(unfinished)
                unfinished.rename(folder)
        return folder

    return make_once


@pytest.fixture(scope="session")
def sample_world(made_once):
    """The small sample world, read-only: a data root."""
    from pipelines.sample_world import (
        write_world,  # only where it is used: schemas need no pictures
    )

    return made_once("sample_world", write_world)


@pytest.fixture(scope="session")
def proof_world(made_once):
    """The small world of the preset `proof`, read-only: 400 pictures of each data set."""
    from pipelines.sample_world import write_world

    return made_once("proof_world", lambda root: write_world(root, "small", preset="proof"))


@pytest.fixture(scope="session")
def every_recipe(sample_world, made_once):
    """The builds of six pictures of each source in every recipe, by reference, read-only."""
    return made_once("every_recipe", lambda folder: _build_every_recipe(sample_world, folder))


def _build_every_recipe(world: Path, folder: Path) -> None:
    from pipelines.cli.parser import run  # only where it is used: the models know no pipeline
    from pipelines.recipes import recipe_names

    inputs = ["--data-root", str(world), "--limit", "6"]
    captions, boxes = folder / "captions", world / "refcocog" / "detections.json"
    captioner = ["--source", "v3det", "--captioner", "builtin", "--no-filter"]
    names = ["--label-set", "coco=Shapes-15"]
    flags = {
        "gpt4roi_stage1": names,
        "regiongpt_finetune": [*names, "--label-set", "lvis=Shapes", "--recapd", str(captions)],
        "region_questions": [
            *(*names, "--label-set", "lvis=Shapes", "--complete", "coco", "--complete", "lvis")
        ],
        "eval_lvis": ["--label-set", "lvis=Shapes"],
        "eval_rec": ["--detection-names", "coco", "--detections", f"refcocog={boxes}"],
        **dict.fromkeys(("eval_coco", "eval_coco_dilated", "eval_coco_eroded"), names),
    }
    with redirect_stdout(StringIO()), redirect_stderr(StringIO()) as errors:
        done = run(["recap", *captioner, *inputs, "--output", str(captions)])
        assert done == 0, errors.getvalue()
        for name in recipe_names():
            words = ["--recipe", name, *flags.get(name, []), *inputs]
            words += ["--images", "reference", "--output", str(folder / name)]
            done = run(["build", *words])
            assert done == 0, errors.getvalue()
    shutil.rmtree(captions)
