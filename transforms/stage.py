"""The base of every stage: a stage yields results, and the base yields its rejections and counts.

A stage is a `StageDoFn` with one method, `results`. It counts items, and rejects them, in the
ledger of its stage. The base class owns `process`, so no stage can forget to hand its rejections
over. Rejections follow each element and counts follow the bundle, so a bundle that is retried
counts once.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from types import MethodType
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar, final

import apache_beam as beam
from apache_beam.pvalue import PCollection, TaggedOutput
from apache_beam.transforms.window import GlobalWindow
from apache_beam.typehints.decorators import IOTypeHints
from apache_beam.typehints.native_type_compatibility import convert_to_beam_types
from apache_beam.utils.timestamp import MIN_TIMESTAMP
from apache_beam.utils.windowed_value import WindowedValue

from schemas.ledger import Stage, TallyKey
from schemas.rejection import Rejection
from transforms.ledger import Ledgers, StageLedger
from transforms.progress import Progress

Element = TypeVar("Element")
Result = TypeVar("Result")
Input = TypeVar("Input")
Outputs = TypeVar("Outputs")

_REJECTED, _TALLY = "rejected", "tally"
_TYPES = convert_to_beam_types({_REJECTED: Rejection, _TALLY: tuple[TallyKey, int]})


class StageOutputs(NamedTuple, Generic[Result]):
    """The outputs of a stage: its results, its rejections, and its counts, still to be added up."""

    kept: PCollection[Result]
    rejected: PCollection[Rejection]
    tally: PCollection[tuple[TallyKey, int]]


class WatchedDoFn(beam.DoFn):
    """A Beam `DoFn` that calls a function in each process that runs it, if its run has one."""

    at_setup: Callable[[], None] | None = None

    def setup(self) -> None:
        """Call the function."""
        if self.at_setup is not None:
            self.at_setup()


class StageDoFn(WatchedDoFn, Generic[Element, Result]):
    """A Beam `DoFn` with ledgers; subclasses define `results`."""

    stage: ClassVar[Stage]  # the last one if several; names the progress

    def __init_subclass__(cls, **options: Any) -> None:
        """Raise `TypeError` for a stage without a name, or one that would deliver by itself."""
        super().__init_subclass__(**options)
        if not hasattr(cls, "stage"):
            raise TypeError(f"{cls.__name__}: expected `stage`, the name of its ledger")
        if methods := {"process", "finish_bundle"} & cls.__dict__.keys():
            raise TypeError(f"{cls.__name__}.{min(methods)}: expected `results`; the base delivers")

    def start_bundle(self) -> None:
        """Open empty ledgers; an earlier attempt at the bundle leaves nothing behind."""
        self.ledgers = Ledgers()
        self.progress = Progress(self.stage)

    @property
    def ledger(self) -> StageLedger:
        """The ledger of the stage."""
        return self.ledgers[self.stage]

    def results(self, element: Element, *args: Any, **side_inputs: Any) -> Iterator[Any]:
        """Yield the results of an element, and `TaggedOutput` values for further outputs.

        Subclasses annotate this method with concrete types: Beam checks that stages fit together.
        """
        raise NotImplementedError

    @final
    def process(self, element: Element, *args: Any, **side_inputs: Any) -> Iterator[Any]:
        """Yield the results of an element, then its rejections."""
        yield from self.results(element, *args, **side_inputs)
        for rejection in self.ledgers.take_rejections():
            yield TaggedOutput(_REJECTED, rejection)

    @final
    def finish_bundle(self) -> Iterator[TaggedOutput[str, WindowedValue]]:
        """Yield the counts of the bundle, and rejections outside any element."""
        self.progress.flush()
        for rejection in self.ledgers.take_rejections():
            yield TaggedOutput(_REJECTED, in_bundle(rejection))
        for key, number in self.ledgers.tally().items():
            plain = tuple(str(word) for word in key), number
            yield TaggedOutput(_TALLY, in_bundle(plain))

    def default_type_hints(self) -> IOTypeHints:
        """Return Beam's type hints for all outputs, made from the annotations of `results`."""
        return _hints_of(type(self).results)


@cache  # Beam asks ten times and more for each stage of a pipeline
def _hints_of(results: Callable[..., object]) -> IOTypeHints:
    hints = IOTypeHints.from_callable(MethodType(results, results))
    assert hints is not None, "results is annotated"
    assert hints.input_types is not None, "its element is annotated"
    (element, *_), _ = hints.input_types
    (result,), extra = hints.strip_iterable().extract_tagged_outputs().output_types
    return hints.with_input_types(element).with_output_types(result, **_TYPES, **extra)


class StageTransform(beam.PTransform[Input, Outputs]):
    """A transform with the outputs of a stage; the type of each output comes from its DoFn."""

    def default_type_hints(self) -> IOTypeHints:
        """Return Beam's type hint for the input, made from the annotation of `expand`."""
        hints = IOTypeHints.from_callable(self.expand)
        assert hints is not None, "expand is annotated"
        return hints.with_output_types_from(IOTypeHints.empty()).strip_pcoll()


def in_bundle(value: object) -> WindowedValue:
    """Return a value in the form that `finish_bundle` must yield."""
    return WindowedValue(value, MIN_TIMESTAMP, (GlobalWindow(),))


def run_stage(
    elements: PCollection[Element], dofn: StageDoFn[Element, Result], **side_inputs: Any
) -> StageOutputs[Result]:
    """Return the outputs of a stage that is applied to a collection."""
    return StageOutputs(*_applied(elements, dofn, (), side_inputs))


def run_stage_with(
    elements: PCollection[Element], dofn: StageDoFn[Element, Result], *tags: str
) -> tuple[StageOutputs[Result], list[PCollection[Any]]]:
    """Return the outputs of a stage, and the further outputs that it yields under tags."""
    kept, rejected, tally, *extra = _applied(elements, dofn, tags, {})
    return StageOutputs(kept, rejected, tally), extra


def _applied(
    elements: PCollection[Element],
    dofn: StageDoFn[Element, Result],
    tags: Sequence[str],
    side_inputs: Mapping[str, Any],
) -> Iterable[PCollection[Any]]:
    par_do = beam.ParDo(dofn, **side_inputs)
    return elements | par_do.with_outputs(_REJECTED, _TALLY, *tags, main="kept")
