"""The outcome of one case, as workers hand it over and the report counts it."""

import json
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.fuzz.watch import Hang

_CHECKOUT = str(Path(__file__).resolve().parents[2])


@dataclass(slots=True, kw_only=True)
class Result:
    """The outcome of a case."""

    case: str  # "annotations-world:317"
    target: str  # what was damaged, as the report groups it
    file: str = ""
    operators: Sequence[str] = ()
    outcome: str = "read"
    reasons: dict[str, int] = field(default_factory=dict)  # codes of rejections and repairs
    faults: list[str] = field(default_factory=list)
    mutations: int = 1  # of a case that damages by the hundred
    seconds: float = 0.0

    def line(self) -> str:
        """Return the result as a line of JSON."""
        return json.dumps(asdict(self))

    @staticmethod
    def from_line(line: str) -> "Result":
        """Return the result that a line holds."""
        return Result(**json.loads(line))


@contextmanager
def faults_in(faults: list[str], *expected: type[Exception]) -> Iterator[None]:
    """Note whatever a block raises as a fault, but for expected errors, which are raised."""
    try:
        yield
    except expected:
        raise
    except Hang as error:
        faults.append(f"hangs: {error} {_where(error)}")
    except Exception as error:  # noqa: BLE001 - whatever else is raised is a fault
        faults.append(f"{type(error).__name__}: {error!s:.300} {_where(error)}")


def _where(error: BaseException) -> str:
    """Return the last lines of our code that an error passed."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if frame.filename.startswith(_CHECKOUT)]
    return " < ".join(f"{Path(f.filename).name}:{f.lineno} {f.name}" for f in reversed(ours[-4:]))
