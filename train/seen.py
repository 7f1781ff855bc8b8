"""What is seen of a run: a line of progress, `log.jsonl`, TensorBoard, and other trackers.

A line of log.jsonl:

    {"step": 12, "epoch": 0, "loss": 1.532, "learning_rate": 0.001, "tokens_per_second": 5120.4,
     "samples_per_second": 24.1, "data_wait": 0.021, "memory": 1288490188, "gradient_norm": 0.81,
     "supervised": 310, "tokens": 3400, "rows": 16, "dropped_turns": 0, "rejected": 0}

`data_wait` is the share of the step's time that went by waiting for its rows; `memory` is the most
bytes so far, of the GPU or else of this process; a step after which the model was validated also
has `validation_loss`.
"""

import json
import resource
import sys
import time
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import torch

from schemas import json_decoding
from schemas.console import Console
from schemas.errors import InputFileError, RegionForgeError, UsageError
from train.loop import Done

LOG = "log.jsonl"
TRACKERS = ("trackio", "wandb")
_LINE_SECONDS = 10.0  # between lines where there is no terminal
_GIB = 2**30

Measures = dict[str, Any]  # a line of the log


class Tracker(Protocol):
    """A place that shows curves."""

    def log(self, measures: Mapping[str, float], step: int) -> None:
        """Add the measures of a step."""

    def close(self) -> None:
        """Write what is still in memory."""


class ProgressLine:
    """A line on stderr that is written anew; where there is no terminal, a line now and then."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._shown = float("-inf")

    def show(self, text: str, *, last: bool) -> None:
        """Show how far the work is; the last line is never left out."""
        now = time.monotonic()
        live = self._console.is_terminal
        if live:
            self._console.overwrite(text)
        if last or now - self._shown >= _LINE_SECONDS:
            self._console.print(text, logged_only=live)
            self._shown = now

    def say(self, text: str) -> None:
        """Print a line of its own."""
        self.end()
        self._console.print(text, soft_wrap=True)

    def end(self) -> None:
        """Leave the line as it stands."""
        if self._console.is_terminal:
            self._console.line()


class Seen:
    """The log, the line of progress and the trackers of a run; of its first process alone."""

    def __init__(self, run: Path, steps: int, trackers: list[Tracker]) -> None:
        """Open the log, to which lines are added.

        Args:
            run: the run's folder.
            steps: that the run will have.
            trackers: other places.
        """
        self._path = run / LOG
        self._log = self._path.open("ab", buffering=0)
        self._steps = steps
        self._trackers = trackers
        self._line = ProgressLine()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close all that is open."""
        self._line.end()
        self._log.close()
        for tracker in self._trackers:
            tracker.close()

    def add(self, measures: Measures) -> None:
        """Add the line of a step."""
        try:
            self._log.write(f"{json.dumps(measures)}\n".encode())
        except OSError as error:
            raise RegionForgeError(f"{self._path}: cannot be written: {error.strerror}") from None
        numbers = {key: float(value) for key, value in measures.items() if key != "step"}
        for tracker in self._trackers:
            tracker.log(numbers, measures["step"])
        last = measures["step"] + 1 == self._steps
        self._line.show(progress_line(measures, self._steps), last=last)

    def say(self, text: str) -> None:
        """Print a line."""
        self._line.say(text)


def measures_of(done: Done) -> Measures:
    """Return what the log says of a step."""
    result = done.result
    return {
        "step": done.step,
        "epoch": done.epoch,
        "loss": result.loss,
        "learning_rate": done.rate,
        "tokens_per_second": round(result.tokens / done.seconds, 1),
        "samples_per_second": round(result.rows / done.seconds, 2),
        "data_wait": round(done.waited / done.seconds, 4),
        "memory": memory(),
        "gradient_norm": result.gradient_norm,
        "supervised": result.supervised,
        "tokens": result.tokens,
        "rows": result.rows,
        "dropped_turns": result.dropped_turns,
        "rejected": result.rejected,
    }


def progress_line(measures: Measures, steps: int) -> str:
    """Return the line of progress.

    Example: `step 12/400  loss 1.532  5,120 tokens/s  24.1 samples/s  data wait 2 %  1.2 GiB`
    """
    return (
        f"step {measures['step'] + 1:,}/{steps:,}  loss {measures['loss']:.3f}  "
        f"{measures['tokens_per_second']:,.0f} tokens/s  "
        f"{measures['samples_per_second']:,.1f} samples/s  "
        f"data wait {100 * measures['data_wait']:.0f} %  {measures['memory'] / _GIB:.1f} GiB"
    )


def memory() -> int:
    """Return the most bytes in use so far: of the GPU, or of this process where there is none."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def logged(run: Path) -> list[Measures]:
    """Return the lines of a run's log; one that a crash has cut is left out.

    Raises:
        InputFileError: one is no line of such a log.
    """
    path = run / LOG
    if not path.is_file():
        return []
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
    whole = [(number, line) for number, line in enumerate(lines, 1) if line.endswith("}\n")]
    return [_measures(line, f"{path}: line {number}") for number, line in whole]


def _measures(line: str, where: str) -> Measures:
    try:
        measures: Measures = json_decoding.load(line)
        int(measures["step"]), float(measures["loss"])
    except (ValueError, KeyError, TypeError):
        raise InputFileError(
            f"{where}: not of a run's log: remove the file, and the run goes on with a new one"
        ) from None
    return measures


def cut_log(run: Path, steps: int) -> None:
    """Keep the lines of the first steps, as the others will be done again."""
    kept = [line for line in logged(run) if line["step"] < steps]
    unfinished = run / f".{LOG}"
    unfinished.write_text("".join(json.dumps(line) + "\n" for line in kept), encoding="utf-8")
    unfinished.replace(run / LOG)


def open_trackers(run: Path, name: str | None, record: Mapping[str, Any]) -> list[Tracker]:
    """Return TensorBoard, where it is installed, and the tracker that is asked for.

    Args:
        run: the run's folder; TensorBoard's files are in its `tensorboard`.
        name: one of `TRACKERS`; None: no other.
        record: what the tracker shows as the run's settings.

    Raises:
        UsageError: the tracker is not installed.
    """
    trackers: list[Tracker] = []
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        pass
    else:
        trackers.append(_TensorBoard(SummaryWriter(str(run / "tensorboard"))))
    if name is not None:
        check_tracker(name)
        trackers.append(_Runs(import_module(name), run.resolve().name, record))
    return trackers


def check_tracker(name: str) -> None:
    """Raise UsageError where a tracker is not installed."""
    try:
        import_module(name)
    except ImportError:
        raise UsageError(f"--track {name} needs: pip install {name}") from None


class _TensorBoard:
    def __init__(self, writer: Any) -> None:
        self._writer = writer

    def log(self, measures: Mapping[str, float], step: int) -> None:
        for key, value in measures.items():
            self._writer.add_scalar(key, value, step)

    def close(self) -> None:
        self._writer.close()


class _Runs:
    """W&B, or trackio, which is called in the same way."""

    def __init__(self, library: Any, name: str, record: Mapping[str, Any]) -> None:
        self._library = library
        library.init(project="regionforge", name=name, config=dict(record))

    def log(self, measures: Mapping[str, float], step: int) -> None:
        self._library.log(dict(measures), step=step)

    def close(self) -> None:
        self._library.finish()
