"""Ledgers: every count goes to one account, and each rejection is handed over once."""

from schemas.ledger import Stage
from schemas.rejection import Kind, Reason, Rejected, Rejection, Repair
from transforms.ledger import Ledgers, StageLedger


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
    ledger.with_image(image, Kind.ANNOTATION, 2)
    ledger.repaired(image, Kind.ANNOTATION, Repair.BOX_CLIPPED)
    ledger.reject(image, Kind.ANNOTATION, "1", Rejected(Reason.CROWD, "many"))
    ledger.read(image, Kind.IMAGE)
    screen = ("coco", "train", "screen")
    assert ledger.tally == {
        (*screen, "annotation", "read"): 5,
        (*screen, "annotation", "kept"): 3,
        (*screen, "annotation", "sampled_out"): 1,
        (*screen, "annotation", "with_image"): 2,
        (*screen, "annotation", "repaired:box_clipped"): 1,
        (*screen, "annotation", "rejected:crowd"): 1,
        (*screen, "image", "read"): 1,
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


def test_ledgers_take_in_what_others_hold(make_image):
    image, ledgers, others = make_image(), Ledgers(), Ledgers()
    for number, each in enumerate((ledgers, others, others)):
        each[Stage.SCREEN].enter(rejection(number))
    others[Stage.WRITE].read(image, Kind.IMAGE)
    ledgers.include(others.tally(), others.take_rejections())
    assert ledgers.tally() == {
        ("coco", "train", "screen", "annotation", "rejected:crowd"): 3,
        ("coco", "train", "write", "image", "read"): 1,
    }
    assert ledgers[Stage.SCREEN].rejections == [rejection(0), rejection(1), rejection(2)]


def test_ledgers_of_several_stages_hand_rejections_over_once(make_image):
    image, ledgers = make_image(), Ledgers()
    crowd = Rejected(Reason.CROWD, "many")
    for stage in (Stage.SCREEN, Stage.WRITE):
        ledgers[stage].read(image, Kind.ANNOTATION)
        ledgers[stage].reject(image, Kind.ANNOTATION, "1", crowd)
    assert [item.stage for item in ledgers.take_rejections()] == ["screen", "write"]
    assert ledgers.take_rejections() == []
    ledgers[Stage.WRITE].reject(image, Kind.ANNOTATION, "2", crowd)
    assert [item.id for item in ledgers.take_rejections()] == ["2"]
    assert ledgers.tally() == {
        ("coco", "train", "screen", "annotation", "read"): 1,
        ("coco", "train", "screen", "annotation", "rejected:crowd"): 1,
        ("coco", "train", "write", "annotation", "read"): 1,
        ("coco", "train", "write", "annotation", "rejected:crowd"): 2,
    }
