"""The guard: what becomes of a forbidden picture, and of the regions and items that it has."""

from schemas.item import Expression
from schemas.ledger import Stage, ledger_of
from schemas.rejection import Kind, Reason
from schemas.sample import ImageInfo
from schemas.source import SourceImage, SourceRegion
from transforms.guard import guard_image
from transforms.ledger import StageLedger


def file_name(image: ImageInfo) -> str | None:
    return image.file_name


def with_regions(make_image, path: str | None) -> SourceImage:
    regions = (SourceRegion("1", (0, 0, 1, 1)), SourceRegion("2", (0, 0, 2, 2)))
    return SourceImage(make_image(file_name=path), regions, (Expression("9", "1", "a cup"),))


def test_what_hangs_on_a_removed_image_goes_with_it(make_image):
    ledger = StageLedger(Stage.GUARD)
    forbidden = {"139.jpg": "pope"}
    kept = [
        guard_image(with_regions(make_image, path), file_name, forbidden, ledger)
        for path in ("139.jpg", "140.jpg", None)
    ]
    assert kept == [False, True, True]
    totals = ledger_of(ledger.tally)
    assert [line for line in totals.problems() if "no later stage" not in line] == []
    image, region, sentence = (
        totals.account("coco", "train", Stage.GUARD, kind)
        for kind in (Kind.IMAGE, Kind.ANNOTATION, Kind.SENTENCE)
    )
    assert (image.read, image.kept, image.rejected) == (3, 2, {Reason.EVALUATION_IMAGE: 1})
    assert (region.read, region.kept, region.with_image) == (6, 4, 2)
    assert (sentence.read, sentence.kept, sentence.with_image) == (3, 2, 1)
    assert region.sampled_out == sentence.sampled_out == 0
    (rejection,) = ledger.rejections
    assert (rejection.kind, rejection.id, rejection.stage) == (Kind.IMAGE, "7", "guard")
    assert "139.jpg, of pope" in rejection.detail
