"""Books: every count goes to one account, and a stage hands its book over once per bundle."""

from collections.abc import Iterator
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.testing.test_pipeline import TestPipeline as BeamPipeline
from apache_beam.testing.util import assert_that, equal_to

from schemas.ledger import Stage
from schemas.rejection import Kind, Reason, Rejected, Rejection, Repair
from schemas.sample import ImageInfo
from transforms.ledger import KEPT, REJECTED, TALLY, LedgerDoFn, StageLedger, booked, passed_on


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


def test_every_count_goes_to_its_account(make_image):
    image, ledger = make_image(), StageLedger(Stage.SCREEN)
    ledger.read(image, Kind.ANNOTATION, 5)
    ledger.kept(image, Kind.ANNOTATION, 2)
    ledger.kept(image, Kind.ANNOTATION)
    ledger.sampled_out(image, Kind.ANNOTATION)
    ledger.repaired(image, Kind.ANNOTATION, Repair.BOX_CLIPPED)
    ledger.reject(image, Kind.ANNOTATION, "1", Rejected(Reason.CROWD, "many"))
    ledger.read(image, Kind.IMAGE)
    at = ("coco", "train", "screen")
    assert ledger.tally == {
        (*at, "annotation", "read"): 5,
        (*at, "annotation", "kept"): 3,
        (*at, "annotation", "sampled_out"): 1,
        (*at, "annotation", "repaired:box_clipped"): 1,
        (*at, "annotation", "rejected:crowd"): 1,
        (*at, "image", "read"): 1,
    }
    assert ledger.rejections == [rejection(1)]


def test_a_count_of_none_opens_no_account(make_image):
    ledger = StageLedger(Stage.SCREEN)
    ledger.read(make_image(), Kind.ANNOTATION, 0)
    assert dict(ledger.tally) == {}


def test_a_rejection_that_is_already_made_out():
    ledger = StageLedger(Stage.SCREEN)
    ledger.enter(rejection(3))
    key = ("coco", "train", "screen", "annotation", "rejected:crowd")
    assert (ledger.tally, ledger.rejections) == ({key: 1}, [rejection(3)])


def test_a_rejection_is_a_line_and_back():
    line = rejection(4).line()
    assert b"\n" not in line
    assert Rejection.from_line(line) == rejection(4)
    assert rejection(4).sort_key() == ("train", "screen", "annotation", "4", "crowd", "many")


class _KeepEven(LedgerDoFn):
    """Keeps even numbers and says so; rejects the odd ones; marks the fours."""

    stage = Stage.SCREEN

    def __init__(self, image: ImageInfo) -> None:
        self._image = image

    def process(self, element: int) -> Iterator[Any]:
        self.ledger.read(self._image, Kind.ANNOTATION)
        if element % 2:
            cause = Rejected(Reason.CROWD, "many")
            self.ledger.reject(self._image, Kind.ANNOTATION, str(element), cause)
        else:
            self.ledger.kept(self._image, Kind.ANNOTATION)
            yield element
        if element % 4 == 0:
            yield beam.pvalue.TaggedOutput("fours", element)
        yield from self.settle()
        self.progress.add()


@pytest.mark.parametrize("numbers", [[], [1], list(range(9))])
def test_a_booked_stage_has_all_its_outputs(make_image, numbers):
    even, odd = [n for n in numbers if n % 2 == 0], [n for n in numbers if n % 2]
    at = ("coco", "train", "screen", "annotation")
    counts = {"read": len(numbers), "kept": len(even), "rejected:crowd": len(odd)}
    with BeamPipeline() as root:
        found = root | beam.Create(numbers) | booked(_KeepEven(make_image()), "fours")
        totals = found[TALLY] | beam.CombinePerKey(sum)
        assert_that(found[KEPT], equal_to(even), "kept")
        assert_that(found[REJECTED], equal_to([rejection(number) for number in odd]), "rejected")
        assert_that(found["fours"], equal_to([n for n in even if n % 4 == 0]), "fours")
        expected = [((*at, how), count) for how, count in counts.items() if count]
        assert_that(totals, equal_to(expected), "tally")


def test_a_stage_with_nothing_to_do_passes_all_on():
    with BeamPipeline() as root:
        found = passed_on(root | beam.Create([1, 2]))
        assert_that(found[KEPT], equal_to([1, 2]), "kept")
        assert_that(found[REJECTED], equal_to([]), "rejected")
        assert_that(found[TALLY], equal_to([]), "tally")


def test_a_bundle_that_is_tried_again_counts_once(make_image):
    dofn = _KeepEven(make_image())
    for _ in range(2):  # the first attempt is given up before its bundle ends
        dofn.start_bundle()
        kept = [list(dofn.process(number)) for number in range(3)]
    tallies = [found.value.value for found in dofn.finish_bundle()]
    at = ("coco", "train", "screen", "annotation")
    assert tallies == [((*at, "read"), 3), ((*at, "kept"), 2), ((*at, "rejected:crowd"), 1)]
    assert [found.value for found in kept[1]] == [rejection(1)]
    assert all(type(word) is str for key, _ in tallies for word in key)
