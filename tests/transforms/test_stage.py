"""Stages: whatever a stage yields, its rejections and counts arrive, once, and joints are typed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import apache_beam as beam
import pytest
from apache_beam.pvalue import AsDict, PCollection, TaggedOutput
from apache_beam.testing.test_pipeline import TestPipeline as BeamPipeline
from apache_beam.testing.util import assert_that, equal_to
from apache_beam.typehints.decorators import TypeCheckError

from schemas.ledger import Stage
from schemas.rejection import Kind, Reason, Rejected, Rejection
from schemas.sample import ImageInfo
from transforms.stage import (
    StageDoFn,
    StageOutputs,
    StageTransform,
    run_stage,
    run_stage_with,
)

FOURS: Literal["fours"] = "fours"
ACCOUNT = ("coco", "train", "screen", "annotation")


def rejection(number: int) -> Rejection:
    return Rejection(
        source="coco",
        split="train",
        stage="screen",
        kind=Kind.ANNOTATION,
        id=str(number),
        reason=Reason.CROWD,
        detail="many",
    )


class _KeepEven(StageDoFn[int, int]):
    """Keeps even numbers; rejects odd ones, then yields nothing; marks fours; fails below 0."""

    stage = Stage.SCREEN

    def __init__(self, image: ImageInfo) -> None:
        self._image = image

    def results(self, element: int) -> Iterator[int | TaggedOutput[Literal["fours"], int]]:
        self.ledger.read(self._image, Kind.ANNOTATION)
        if element % 2:
            cause = Rejected(Reason.CROWD, "many")
            self.ledger.reject(self._image, Kind.ANNOTATION, str(element), cause)
            return
        self.ledger.kept(self._image, Kind.ANNOTATION)
        yield element
        if element < 0:
            raise ArithmeticError
        if element % 4 == 0:
            yield TaggedOutput(FOURS, element)
        self.progress.add()


class _KeepNamed(StageDoFn[int, str]):
    """Keeps numbers that have a name; rejects all others."""

    stage = Stage.SCREEN

    def __init__(self, image: ImageInfo) -> None:
        self._image = image

    def results(self, element: int, names: Mapping[int, str]) -> Iterator[str]:
        if element in names:
            yield names[element]
        else:
            cause = Rejected(Reason.CROWD, "many")
            self.ledger.reject(self._image, Kind.ANNOTATION, str(element), cause)


class _RejectAll(StageDoFn[int, int]):
    """Yields nothing, and is no generator."""

    stage = Stage.SCREEN

    def __init__(self, image: ImageInfo) -> None:
        self._image = image

    def results(self, element: int) -> Iterator[int]:
        cause = Rejected(Reason.CROWD, "many")
        self.ledger.reject(self._image, Kind.ANNOTATION, str(element), cause)
        return iter(())


class _RejectFirst(StageDoFn[int, int]):
    """Rejects the number 7 before there is an element."""

    stage = Stage.SCREEN

    def __init__(self, image: ImageInfo) -> None:
        self._image = image

    def start_bundle(self) -> None:
        super().start_bundle()
        cause = Rejected(Reason.CROWD, "many")
        self.ledger.reject(self._image, Kind.ANNOTATION, "7", cause)

    def results(self, element: int) -> Iterator[int]:
        yield element


@pytest.mark.parametrize("numbers", [[], [1], list(range(9))])
def test_a_stage_has_all_its_outputs(make_image, numbers):
    even, odd = [n for n in numbers if n % 2 == 0], [n for n in numbers if n % 2]
    counts = {"read": len(numbers), "kept": len(even), "rejected:crowd": len(odd)}
    with BeamPipeline() as root:
        elements = root | beam.Create(numbers).with_output_types(int)
        outputs, (fours,) = run_stage_with(elements, _KeepEven(make_image()), FOURS)
        totals = outputs.tally | beam.CombinePerKey(sum)
        assert_that(outputs.kept, equal_to(even), "kept")
        assert_that(outputs.rejected, equal_to([rejection(number) for number in odd]), "rejected")
        assert_that(fours, equal_to([n for n in even if n % 4 == 0]), "fours")
        expected = [((*ACCOUNT, outcome), count) for outcome, count in counts.items() if count]
        assert_that(totals, equal_to(expected), "tally")


def test_a_stage_with_a_side_input(make_image):
    with BeamPipeline() as root:
        names = root | "Names" >> beam.Create([(2, "two")])
        elements = root | beam.Create([1, 2])
        outputs = run_stage(elements, _KeepNamed(make_image()), names=AsDict(names))
        assert_that(outputs.kept, equal_to(["two"]), "kept")
        assert_that(outputs.rejected, equal_to([rejection(1)]), "rejected")


@pytest.mark.parametrize("stage", [_RejectAll, _RejectFirst])
def test_rejections_arrive_though_nothing_is_yielded_after_them(make_image, stage):
    numbers = {_RejectAll: [1, 2], _RejectFirst: [7]}[stage]
    with BeamPipeline() as root:
        outputs = run_stage(root | beam.Create([1, 2]), stage(make_image()))
        assert_that(outputs.rejected, equal_to([rejection(number) for number in numbers]), "lines")
        totals = outputs.tally | beam.CombinePerKey(sum)
        assert_that(totals, equal_to([((*ACCOUNT, "rejected:crowd"), len(numbers))]), "tally")


def test_a_bundle_that_is_tried_again_counts_once(make_image):
    dofn = _KeepEven(make_image())
    for _ in range(2):  # the first attempt is given up before its bundle ends
        dofn.start_bundle()
        kept = [list(dofn.process(number)) for number in range(3)]
    tallies = [output.value.value for output in dofn.finish_bundle()]
    assert tallies == [
        ((*ACCOUNT, "read"), 3),
        ((*ACCOUNT, "kept"), 2),
        ((*ACCOUNT, "rejected:crowd"), 1),
    ]
    assert [output.value for output in kept[1]] == [rejection(1)]
    assert all(type(word) is str for key, _ in tallies for word in key)


def test_a_bundle_that_fails_in_the_middle_of_an_element_leaves_nothing_behind(make_image):
    dofn = _KeepEven(make_image())
    dofn.start_bundle()
    dofn.ledger.reject(make_image(), Kind.ANNOTATION, "1", Rejected(Reason.CROWD, "many"))
    with pytest.raises(ArithmeticError):
        list(dofn.process(-2))
    dofn.start_bundle()
    assert list(dofn.process(2)) == [2]
    assert [output.tag for output in dofn.finish_bundle()] == ["tally", "tally"]


@dataclass
class _KeepNone(StageTransform[PCollection[int], StageOutputs[int]]):
    image: ImageInfo

    def expand(self, pcoll: PCollection[int]) -> StageOutputs[int]:
        return run_stage(pcoll, _RejectAll(self.image))


def test_joints_are_checked_when_a_pipeline_is_laid_out(make_image, caplog):
    root, image = BeamPipeline(), make_image()
    words = root | beam.Create(["one"])
    with pytest.raises(TypeCheckError, match=r"expected .*int.*, got .*str"):
        words | "Stage" >> _KeepNone(image)
    with pytest.raises(TypeCheckError, match=r"requires .*int.* but was applied to .*str"):
        run_stage(words, _RejectFirst(image))
    numbers = root | "Numbers" >> beam.Create([1])
    outputs, (fours,) = run_stage_with(numbers, _KeepEven(image), FOURS)
    types = [pcoll.element_type for pcoll in (outputs.kept, outputs.rejected, fours)]
    assert types == [int, Rejection, int]
    with pytest.raises(TypeCheckError, match="Rejection"):
        outputs.rejected | "Again" >> _KeepNone(image)
    assert "type hint" not in caplog.text  # Beam has nothing to warn of


def test_a_stage_has_a_name():
    with pytest.raises(TypeError, match="_Nameless: expected `stage`"):
        type("_Nameless", (StageDoFn,), {})


@pytest.mark.parametrize("method", ["process", "finish_bundle"])
def test_no_stage_delivers_by_itself(method):
    with pytest.raises(TypeError, match=rf"_Greedy.{method}: expected `results`"):
        type("_Greedy", (StageDoFn,), {"stage": Stage.SCREEN, method: lambda self: None})
