"""The probe: a small pipeline that shows whether a runner does all that a build needs.

Beam has runners that leave out, without an error, what they do not know; a build on them would
lose records. The probe runs first on a runner that is not known, and writes what arrived into the
output:

    {"outputs by tag": true, "outputs at the end of a bundle": false, ...}

No such file means that the workers do not write where this process reads.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

import apache_beam as beam
import msgspec
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.pvalue import AsDict, AsIter, AsList, TaggedOutput
from apache_beam.runners.runner import PipelineRunner
from apache_beam.utils.windowed_value import WindowedValue

from pipelines.storage import files
from schemas.errors import UsageError
from schemas.layout import PROBE
from transforms.stage import in_bundle

# Runners of Beam that pass, and those that its own tests hold to the whole model.
KNOWN = ("PortableRunner", "PrismRunner", "FlinkRunner", "SparkRunner", "DataflowRunner")

_NUMBERS = range(20)
_KEYS = 3
_TAGGED: Literal["tagged"] = "tagged"
_AT_END: Literal["at_end"] = "at_end"

_Emitted = int | TaggedOutput[Literal["tagged"], int] | TaggedOutput[Literal["at_end"], int]

_DECODER = msgspec.json.Decoder(dict[str, bool])


def probe(runner: PipelineRunner, options: PipelineOptions, output: str) -> None:
    """Run the probe, unless the runner is a known one.

    Args:
        runner: the runner.
        options: the options of the pipeline.
        output: the folder of the output, which the workers write into.

    Raises:
        UsageError: the runner lacks something; the message names it.
    """
    name = type(runner).__name__
    if name in KNOWN:
        return
    path = files.join(output, PROBE)
    files.delete([path])
    pipeline = beam.Pipeline(runner, options=options)
    lay_out_probe(pipeline, path)
    pipeline.run().wait_until_finish()
    if not files.exists(path):
        raise UsageError(
            f"--runner {name}: a small pipeline left no {path}. Either the runner does not do all "
            "that Beam describes, or its workers do not write there: give an output that this "
            "machine and the workers share"
        )
    arrived = _DECODER.decode(files.read(path))
    files.delete([path])
    if lost := [feature for feature, whole in arrived.items() if not whole]:
        raise UsageError(
            f"--runner {name} loses {', '.join(lost)}, which a build needs: use another runner"
        )


def lay_out_probe(root: beam.Pipeline, path: str) -> None:
    """Lay out a pipeline that writes which of the things that a build needs have arrived."""
    numbers = root | "Numbers" >> beam.Create(_NUMBERS)
    main, tagged, at_end = numbers | beam.ParDo(_Emit()).with_outputs(_TAGGED, _AT_END, main="main")
    by_key = main | "Key" >> beam.Map(_keyed) | "ByKey" >> beam.GroupByKey()
    sums = by_key | "Sum" >> beam.MapTuple(_summed)
    _ = (
        root
        | "Once" >> beam.Create([None])
        | "Prove"
        >> beam.ParDo(_Prove(path), AsList(main), AsList(tagged), AsIter(at_end), AsDict(sums))
    )


class _Emit(beam.DoFn):
    """Yields each number, again under a tag, and the numbers of a bundle at its end."""

    def start_bundle(self) -> None:
        self._numbers: list[int] = []

    def process(self, number: int) -> Iterator[_Emitted]:
        self._numbers.append(number)
        yield number
        yield TaggedOutput(_TAGGED, number)

    def finish_bundle(self) -> Iterator[TaggedOutput[str, WindowedValue]]:
        for number in self._numbers:
            yield TaggedOutput(_AT_END, in_bundle(number))


class _Prove(beam.DoFn):
    """Writes what has arrived; that it is there at all shows that side inputs arrive."""

    def __init__(self, path: str) -> None:
        self._path = path

    def process(
        self,
        _: None,
        main: Iterable[int],
        tagged: Iterable[int],
        at_end: Iterable[int],
        sums: Mapping[Any, int],
    ) -> None:
        numbers = list(_NUMBERS)
        expected: dict[Any, int] = {}
        for number in numbers:
            key, _value = _keyed(number)
            expected[key] = expected.get(key, 0) + number
        arrived = {
            "side inputs": sorted(main) == numbers,
            "outputs by tag": sorted(tagged) == numbers,
            "outputs at the end of a bundle": sorted(at_end) == numbers,
            "groups by keys of several values": dict(sums) == expected,
        }
        files.write_whole(self._path, msgspec.json.encode(arrived))


def _keyed(number: int) -> tuple[tuple[str, int], int]:
    return ("key", number % _KEYS), number


def _summed(key: tuple[str, int], numbers: Iterable[int]) -> tuple[tuple[str, int], int]:
    return key, sum(numbers)
