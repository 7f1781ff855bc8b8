"""Which detections are candidates, and what becomes of the others."""

from collections import Counter

from pipelines.verify import verify

TASK = "referring_expression_comprehension"
CUP, BOWL = [2, 2, 16, 10], [22, 2, 16, 10]


def read_of(output, split="val"):
    account = output.ledger().sources["refcocog"][split]["read"]["annotation"]
    return account.read, account.kept, account.sampled_out, dict(account.rejected)


def test_the_surest_thirty_of_a_score_of_three_tenths(owner, evaluate, candidates):
    scores = [0.3 + place / 1000 for place in range(40)]
    for score in scores:
        owner.detect(7, score, [40, 20, 10, 10 + score])
    output = evaluate(owner)
    thirty = sorted(round(score, 5) for score in [*scores[-29:], 0.9])
    assert candidates(output) == (thirty, "detected")
    assert candidates(output, about="the bowl") == ([*thirty, None], "ground_truth_added")
    # Two images with three boxes each, two of which are spoken of; and 41 and 1 detections.
    assert read_of(output) == (48, 4 + 31, 11, {"not_used": 2})


def test_the_lowest_score_is_part_of_it(owner, evaluate, candidates):
    for score in (0.3, 0.29999, 0):
        owner.detect(7, score, BOWL)
    output = evaluate(owner)
    assert candidates(output, about="the bowl") == ([0.3, 0.9], "detected")
    assert candidates(output, 9, "the bowl") == ([0.9, None], "ground_truth_added")


def test_pictures_without_a_detection_that_is_sure_enough(owner, evaluate, candidates):
    owner.detections = owner.detections[:1]
    owner.detections[0]["score"] = 0.1
    output = evaluate(owner)
    for image in (7, 9):
        assert candidates(output, image) == ([None], "ground_truth_added")
    assert read_of(output) == (7, 4, 1, {"not_used": 2})
    assert verify(str(output.folder)).problems == []


def test_what_nothing_is_said_of_is_no_candidate_and_no_split_answers_for_another(owner, evaluate):
    owner.detect(1234, 0.9, CUP)
    output = evaluate(owner, splits=("train", "val"))
    named = {region["region_id"] for row in output.rows() for region in row["regions"]}
    assert {name for name in named if name.isdecimal()} == {"71", "81", "91"}
    assert read_of(output) == (8, 6, 0, {"not_used": 2})
    assert read_of(output, "train") == (4, 3, 0, {"not_used": 1})
    stood_for = {("annotation", name, "not_used") for name in ("70", "80", "90")}
    unspoken_of = {("annotation", name, "not_used") for name in ("72", "82", "92")}
    assert set(output.rejected()) == stood_for | unspoken_of


def test_ties_at_the_last_place_hang_on_no_order(owner, evaluate, in_parts, candidates):
    for place in range(40):
        owner.detect(7, 0.5, [20 + place / 2, 20, 10, 10])
    before = evaluate(owner)
    owner.detections.reverse()
    owner.refs.reverse()
    after = evaluate(owner)
    assert before.digests() == after.digests() == evaluate(owner, launch_options=in_parts).digests()
    assert evaluate(owner, seed=1).digests() != after.digests()
    assert len(candidates(after)[0]) == 30


def test_a_sentence_said_twice_is_two_questions(owner, evaluate):
    owner.refs[0]["sentences"] += [
        {"sent_id": 5, "sent": "the  cup", "raw": "", "tokens": []},
        {"sent_id": 5, "sent": "the mug", "raw": "", "tokens": []},
    ]
    output = evaluate(owner)
    ids = [row["evaluation"][0]["item_id"] for row in output.rows()]
    assert sorted(ids) == ["70/5", "70/700", "71/710", "90/900", "91/910"]
    assert ("sentence", "70/5", "duplicate_id") in output.rejected()


def test_a_limit_takes_whole_images(owner, evaluate):
    output = evaluate(owner, limit=1)
    assert len(output.rows()) == 2
    (image,) = {row["id"].split("/")[2] for row in output.rows()}
    # Detections in the other image are passed over.
    assert read_of(output) == (7, 3, 3, {"not_used": 1})
    assert image in ("7", "9")


def test_shards_are_about_as_large_as_asked_for(owner, evaluate):
    for place in range(30):
        owner.detect(7, 0.5, [place / 2, 20, 10, 10])
    size = sum(path.stat().st_size for path in evaluate(owner).folder.rglob("*.arrow"))
    small = evaluate(owner, shard_bytes=size // 4)
    assert 3 <= len(small.digests()) <= 12


def test_owners_boxes_keep_their_masks_where_they_are_asked_about(owner, build_source):
    for box in owner.boxes:
        x, y, width, height = box["bbox"]
        box["segmentation"] = [[x, y, x + width, y, x + width, y + height, x, y + height]]
    request = {"paths": owner.save(), "splits": ("val",)}
    output = build_source("refcocog", owner.root, request=request, evaluation=True)
    masked = Counter(
        (row["task"], region["region_id"].isdecimal(), region["mask"] is not None)
        for row in output.rows()
        for region in row["regions"]
    )
    assert masked == {
        ("region_caption", True, True): 4,
        (TASK, True, False): 2,
        (TASK, False, False): 4,
    }
    assert output.rejected() == [("annotation", name, "not_used") for name in ("72", "92")]
