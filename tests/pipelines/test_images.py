"""The steps of an image: in this process and in a pipeline they keep, reject and count the same."""

import json

import apache_beam as beam
import msgspec
import pytest
from apache_beam.testing.test_pipeline import TestPipeline as BeamPipeline
from apache_beam.testing.util import assert_that, equal_to
from apache_beam.typehints.decorators import TypeCheckError

from pipelines.captions.lookup import CaptionLookup
from pipelines.images import ComposeImage, PrepareImage, PrepareImages
from pipelines.shards.grouping import GroupByShard
from prompts.catalog import WORDING_SETS
from prompts.instruction import Instruction, InstructionMode
from schemas.ledger import Stage
from schemas.mask import from_polygons
from schemas.rejection import Kind, Reason, Rejection
from schemas.sample import LabelSet, Region, ScreenedImage, Task
from schemas.source import SourceImage, SourceRegion, SplitFacts
from schemas.style import Style
from transforms.ledger import Ledgers

LABELS = LabelSet.of("Things", ("cat", "dog"))
SQUARE = [[2.0, 2.0, 6.0, 2.0, 6.0, 6.0, 2.0, 6.0]]
COMPOSE = ComposeImage(
    masks="annotated",
    captions=CaptionLookup(()),
    tasks={"coco": (Task.REGION_CLASSIFICATION,)},
    instruction=Instruction(
        style=Style.REGIONGPT, mode=InstructionMode.ONE_TURN_ONE, wordings=WORDING_SETS, seed=0
    ),
)
PREPARE = PrepareImage(picture_names={}, forbidden={})
GUARD_TRAIN = PrepareImage(
    picture_names={("coco", "train"): lambda image: f"coco/{image.image_id}"},
    forbidden={"coco/8": "eval_coco"},
)


def region(region_id: str, **changes) -> SourceRegion:
    return SourceRegion(region_id=region_id, bbox=(1.0, 2.0, 5.0, 6.0), category="cat", **changes)


def rejection(stage: str, kind: Kind, item_id: str, reason: Reason, detail: str) -> Rejection:
    return Rejection("coco", "train", stage, kind, item_id, reason, detail)


@pytest.fixture
def source_images(make_image):
    """An image with a region and a crowd, and one with a mask."""
    masked = region("1", segmentation=json.dumps(SQUARE).encode())
    return [
        SourceImage(make_image(), (region("1"), region("2", crowd=True)), label_set=LABELS),
        SourceImage(make_image(image_id="8"), (masked,), label_set=LABELS),
    ]


@pytest.fixture
def screened_images(source_images):
    """What the screen leaves of `source_images`."""
    usable = Region(region_id="1", bbox=(1.0, 2.0, 5.0, 6.0), category="cat")
    raws: list[dict[str, bytes]] = [{}, {"1": json.dumps(SQUARE).encode()}]
    return [
        ScreenedImage(source_image.image, (usable,), (), LABELS, raw)
        for source_image, raw in zip(source_images, raws, strict=True)
    ]


def test_images_are_prepared(source_images, screened_images):
    screen = ("coco", "train", "screen")
    with BeamPipeline() as root:
        batches = root | beam.Create([source_images])
        outputs = batches | PrepareImages(PREPARE)
        assert_that(outputs.kept, equal_to([screened_images]), "kept")
        crowd = "marks a group of objects, expected a single one"
        expected = rejection("screen", Kind.ANNOTATION, "2", Reason.CROWD, crowd)
        assert_that(outputs.rejected, equal_to([expected]), "rejected")
        tallies = [
            ((*screen, "annotation", "read"), 3),
            ((*screen, "annotation", "kept"), 2),
            ((*screen, "annotation", "rejected:crowd"), 1),
            ((*screen, "image", "read"), 2),
            ((*screen, "image", "kept"), 2),
        ]
        assert_that(outputs.tally | beam.CombinePerKey(sum), equal_to(tallies), "tally")


def test_an_image_that_is_evaluated_on_is_not_screened(source_images, screened_images):
    ledgers = Ledgers()
    prepared = [GUARD_TRAIN(source_image, ledgers) for source_image in source_images]
    assert prepared == [screened_images[0], None]
    detail = "it is coco/8, of eval_coco; expected an image no evaluation is done on"
    assert ledgers[Stage.GUARD].rejections == [
        rejection("guard", Kind.IMAGE, "8", Reason.EVALUATION_IMAGE, detail)
    ]
    assert ledgers.tally()["coco", "train", Stage.GUARD, Kind.IMAGE, "read"] == 2
    assert ledgers.tally()["coco", "train", Stage.SCREEN, Kind.IMAGE, "read"] == 1


def test_without_a_guard_nothing_is_counted_for_it(source_images):
    ledgers = Ledgers()
    assert all(PREPARE(source_image, ledgers) for source_image in source_images)
    assert list(ledgers) == [Stage.SCREEN]


def test_images_are_composed(make_image, screened_images):
    broken = msgspec.structs.replace(screened_images[1], segmentations={"1": b'"none"'})
    empty = ScreenedImage(make_image(image_id="9"), (), label_set=LABELS)
    ledgers = Ledgers()
    drafts = [COMPOSE(image, ledgers) for image in (*screened_images, broken, empty)]
    assert drafts.pop() is None
    assert [draft and draft.conversations[0].regions[0].mask for draft in drafts] == [
        None,
        from_polygons(SQUARE, 10, 20),
        None,
    ]
    screen, compose = (("coco", "train", stage) for stage in ("screen", "compose"))
    assert ledgers.tally() == {
        (*screen, "annotation", "repaired:mask_malformed"): 1,
        (*compose, "image", "read"): 4,
        (*compose, "image", "kept"): 3,
        (*compose, "image", "rejected:no_regions"): 1,
        (*compose, "annotation", "read"): 3,
        (*compose, "annotation", "kept"): 3,
        (*compose, "conversation", "read"): 3,
        (*compose, "conversation", "kept"): 3,
    }
    detail = "no usable annotation, expected at least one"
    assert ledgers.take_rejections() == [
        rejection("compose", Kind.IMAGE, "9", Reason.NO_REGIONS, detail)
    ]


def test_a_wrong_order_of_stages_is_an_error_before_anything_runs(source_images):
    root = BeamPipeline()
    batches = root | beam.Create([source_images])
    facts = root | "Facts" >> beam.Create([SplitFacts("coco", "train", 1)])
    with pytest.raises(TypeCheckError, match=r"expected List.*ScreenedImage.*, got List.*SourceI"):
        batches | GroupByShard(facts)
    prepared = batches | PrepareImages(PREPARE)
    with pytest.raises(TypeCheckError, match=r"expected List.*SourceImage.*, got List.*ScreenedI"):
        prepared.kept | "Again" >> PrepareImages(PREPARE)
