"""GAR-Bench: the real sample beside a second reader, and spoilt records.

Length: real records and drawn ones are read by the same few functions.
"""

import json
import shutil
from collections import Counter

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as rle

from pipelines.datasets.gar_bench.records import original_names
from pipelines.verify import verify
from schemas.errors import InputFileError, UsageError

NAMES = {"vqa": "VQA", "simple": "Caption-Simple", "detailed": "Caption-Detailed"}
LAST_LINE = "Answer with the letter of the right option alone."
MASKS = (
    {"size": [48, 64], "counts": "Z<:V100000000000000000000000000000fk1"},  # 8,10 to 24,20
    {
        "size": [48, 64],
        "counts": "n]1:V10000000000000000000000000000000000000Rd0",
    },  # 30,30 to 50,40
)


@pytest.fixture(scope="module")
def real(samples):
    return samples / "benchmarks"


@pytest.fixture(scope="module")
def output(real, tmp_path_factory, command_line, output_of):
    folder = tmp_path_factory.mktemp("output")
    words = ["build", "--recipe", "eval_gar", "--data-root", real, "--output", folder]
    done = command_line(*words)
    assert done.returncode == 0, done.stderr
    return output_of(folder)


def records(root, split):
    return json.loads((root / "gar_bench" / f"GAR-Bench-{NAMES[split]}.json").read_bytes())


def by_stem(output):
    return {row["evaluation"][0]["item_id"]: row for row in output.rows()}


def tokens_out(text: str) -> str:
    """A text of our records as the owner writes it: <Prompt0> for the first region."""
    for number in range(9):
        for ours in (f"[{number + 1}] <region{number + 1}>", f"<region{number + 1}>"):
            text = text.replace(ours, f"<Prompt{number}>")
        text = text.replace(f"Region [{number + 1}]", f"<Prompt{number}>")
    return text


@pytest.mark.parametrize("split", NAMES)
def test_every_real_mask_and_picture(real, output, split):
    rows = by_stem(output)
    for record in records(real, split):
        stem = record["image"].removeprefix("images/").removesuffix(".png")
        row = rows[stem]
        assert (row["split"], len(row["evaluation"])) == (split, 1)
        picture = real / "gar_bench" / record["image"]
        assert row["image"] == {"bytes": picture.read_bytes(), "path": f"{stem}.png"}
        with Image.open(picture) as opened:
            assert opened.format == "JPEG"
            assert (row["width"], row["height"]) == opened.size
        assert len(row["regions"]) == len(record["mask_rles"])
        for number, region in enumerate(row["regions"]):
            pixels = rle.decode(record["mask_rles"][number])
            down, across = np.nonzero(pixels)
            box = [across.min(), down.min(), across.max() + 1, down.max() + 1]
            assert region["region_id"] == f"{stem}/{number}"
            assert region["bbox"] == box
            assert np.array_equal(rle.decode(region["mask"]), pixels)
            assert region["area"] is None
    stems = {f"{record['image'][7:-4]}" for record in records(real, split)}
    assert stems == {name for name, row in rows.items() if row["split"] == split}


def test_real_questions_with_options(real, output):
    rows = by_stem(output)
    for record in records(real, "vqa"):
        row = rows[record["image"][7:-4]]
        request, answer = (turn["content"] for turn in row["messages"])
        lines = ["<image>", record["question"], *record["choices"], LAST_LINE]
        assert tokens_out(request) == "\n".join(lines)
        assert answer == record["answer"]
        (entry,) = row["evaluation"]
        letters = [choice[0] for choice in record["choices"]]
        full = record["choices"][letters.index(record["answer"])]
        assert list(map(tokens_out, entry["references"])) == [record["answer"], full]
        assert entry["choices"] == letters
        assert entry["label"] == letters.index(record["answer"])
        assert entry["group"] == record["type"]
        assert row["task"] == "region_reasoning"
        for number in range(1, len(row["regions"]) + 1):  # a placeholder once, then the name
            assert request.count(f"<region{number}>") == 1


def test_real_questions_with_a_sentence(real, output):
    rows = by_stem(output)
    for record in records(real, "simple"):
        row = rows[record["image"][7:-4]]
        request, answer = (turn["content"] for turn in row["messages"])
        assert tokens_out(request) == f"<image>\n{record['question']}"
        assert tokens_out(answer) == record["answer"]
        (entry,) = row["evaluation"]
        assert (entry["references"], entry["choices"], entry["label"]) == ([answer], [], None)
        assert entry["group"] == "simple"
    assert "What is the spatial relationship between [2] <region2> and [1] <region1>?" in request


def test_real_pairs_to_describe(real, output):
    rows = by_stem(output)
    for record in records(real, "detailed"):
        row = rows[record["image"][7:-4]]
        words = f"{record['subject_name']} {record['predicate_name']} {record['object_name']}"
        assert [turn["content"] for turn in row["messages"]] == [
            "<image>\nDescribe [1] <region1> in detail, and how it relates to [2] <region2>.",
            words,
        ]
        assert [region["category"] for region in row["regions"]] == [
            record["subject_name"],
            record["object_name"],
        ]
        (entry,) = row["evaluation"]
        assert (entry["references"], entry["group"]) == ([words], "detailed")
        assert row["task"] == "region_relationship"


def test_the_books_balance_and_the_output_is_sound(output):
    assert output.rejected() == []
    stages = output.ledger().sources["gar_bench"]
    counted = {
        split: {
            kind: (account.read, account.kept) for kind, account in stages[split]["read"].items()
        }
        for split in NAMES
    }
    assert counted == {
        "vqa": {"file": (1, 1), "question": (4, 4), "image": (4, 4), "annotation": (7, 7)},
        "simple": {"file": (1, 1), "question": (2, 2), "image": (2, 2), "annotation": (4, 4)},
        "detailed": {"file": (1, 1), "relationship": (2, 2), "image": (2, 2), "annotation": (4, 4)},
    }  # fmt: skip
    assert verify(str(output.folder)).problems == []


def test_parts_and_order_change_nothing(real, build_source, in_parts, tmp_path):
    shutil.copytree(real / "gar_bench", tmp_path / "gar_bench")
    for split, name in NAMES.items():
        turned = json.dumps(records(real, split)[::-1])
        (tmp_path / "gar_bench" / f"GAR-Bench-{name}.json").write_text(turned, encoding="utf-8")
    usual = build_source("gar_bench", real, evaluation=True)
    other = build_source("gar_bench", tmp_path, evaluation=True)
    parts = build_source("gar_bench", real, evaluation=True, launch_options=in_parts)
    assert usual.digests() == other.digests() == parts.digests()
    assert usual.ledger() == other.ledger() == parts.ledger()


class Owner:
    """A root with pictures of one colour, and files of our own."""

    def __init__(self, root):
        self.root, self.folder = root, root / "gar_bench"
        (self.folder / "images").mkdir(parents=True)

    def write(self, split, *items):
        for item in items:
            if isinstance(item, dict) and item.get("image"):
                Image.new("RGB", (64, 48), "teal").save(self.folder / item["image"], "JPEG")
        text = json.dumps(items)
        (self.folder / f"GAR-Bench-{NAMES[split]}.json").write_text(text, encoding="utf-8")


@pytest.fixture
def owner(tmp_path):
    return Owner(tmp_path)


def question(number, **changes):
    return {
        "image": f"images/vqa_{number}.png", "image_path": "/x/000000000139.jpg",
        "mask_rles": list(MASKS), "question": "Is <Prompt1> like <Prompt0>, or is <Prompt1> not?",
        "choices": ["A. As <Prompt0>.", "B. Not."], "answer": "B", "type": "color",
    } | changes  # fmt: skip


def test_a_region_has_a_placeholder_where_it_is_first_named(owner, build_source):
    owner.write("vqa", question(1))
    (row,) = build_source("gar_bench", owner.root, evaluation=True).rows()
    assert row["messages"][0]["content"] == (
        "<image>\nIs [2] <region2> like [1] <region1>, or is Region [2] not?\n"
        f"A. As Region [1].\nB. Not.\n{LAST_LINE}"
    )
    assert [region["bbox"] for region in row["regions"]] == [[8, 10, 24, 20], [30, 30, 50, 40]]


def test_a_region_that_is_named_once_needs_no_number(owner, build_source):
    owner.write("vqa", question(1, question="Is it?", mask_rles=[MASKS[0]]))
    (row,) = build_source("gar_bench", owner.root, evaluation=True).rows()
    assert "\nA. As <region1>.\n" in row["messages"][0]["content"]


BAD = {  # what is wrong, the changes, and whether the record's name can be read
    "an answer that is no choice": ({"answer": "C"}, True),
    "an answer in full": ({"answer": "B. Not."}, True),
    "no answer": ({"answer": ""}, True),
    "a choice without its letter": ({"choices": ["A. As <Prompt0>.", "Not."]}, True),
    "one choice": ({"choices": ["A. As <Prompt0>."], "answer": "A"}, True),
    "an empty choice": ({"choices": ["A. As <Prompt0>.", "B. "]}, True),
    "a mask that is not named": ({"question": "Is it?"}, True),
    "a name without a mask": ({"mask_rles": [MASKS[0]]}, True),
    "no mask": ({"mask_rles": [], "question": "Is it?", "choices": ["A. Yes", "B. No"]}, True),
    "masks of two sizes": ({"mask_rles": [MASKS[0], MASKS[1] | {"size": [64, 48]}]}, True),
    "a blank type": ({"type": " "}, True),
    "no text": ({"question": None}, False),
    "a picture without a name": ({"image": ""}, False),
    "masks that are numbers": ({"mask_rles": [1, 2]}, False),
}


@pytest.mark.parametrize(("changes", "named"), BAD.values(), ids=BAD)
def test_a_bad_record_is_named_and_refused_and_spoils_no_others(
    owner, build_source, changes, named
):
    owner.write("vqa", question(1), question(2, **changes))
    output = build_source("gar_bench", owner.root, evaluation=True)
    name = "vqa_2" if named else "records[1]"
    assert output.rejected() == [("question", name, "malformed")]
    assert list(by_stem(output)) == ["vqa_1"]
    output.ledger()
    assert verify(str(output.folder)).problems == []


def test_other_faults_have_their_reasons(owner, build_source):
    blank = MASKS[0] | {"counts": "not run lengths"}
    twins = ["A. As <Prompt0>.", "B. As <Prompt0>."]
    owner.write(
        "vqa",
        question(1),
        question(1, type="shape"),
        question(2, mask_rles=[blank, MASKS[1]]),
        question(3, choices=twins),
        question(4, image="../vqa_4.png") | {"image": "images/../../vqa_4.png"},
    )
    output = build_source("gar_bench", owner.root, evaluation=True)
    assert Counter(output.rejected()) == {
        ("question", "vqa_1", "duplicate_id"): 1,
        ("annotation", "vqa_2/0", "mask_malformed"): 1,
        ("question", "vqa_2", "unknown_region"): 1,
        ("annotation", "vqa_2/1", "not_used"): 1,
        ("image", "vqa_2", "not_used"): 1,
        ("question", "vqa_3", "ambiguous_label"): 1,
        ("annotation", "vqa_3/0", "not_used"): 1,
        ("annotation", "vqa_3/1", "not_used"): 1,
        ("image", "vqa_3", "not_used"): 1,
        ("image", "vqa_4", "image_unsafe_path"): 1,
    }
    assert output.with_image() == {"question": 1, "annotation": 2}
    (row,) = output.rows()
    assert row["evaluation"][0]["group"] == "color"  # of records with one id, the first as text
    output.ledger()


def test_a_missing_picture_takes_its_record_along(owner, build_source):
    owner.write("vqa", question(1), question(2))
    (owner.folder / "images" / "vqa_2.png").unlink()
    output = build_source("gar_bench", owner.root, evaluation=True)
    assert output.rejected() == [("image", "vqa_2", "image_missing")]
    assert output.with_image() == {"question": 1, "annotation": 2}
    assert list(by_stem(output)) == ["vqa_1"]


def test_a_picture_of_another_size_than_its_masks_is_refused(owner, build_source):
    owner.write("vqa", question(1), question(2))
    Image.new("RGB", (32, 48), "teal").save(owner.folder / "images" / "vqa_2.png", "JPEG")
    output = build_source("gar_bench", owner.root, evaluation=True)
    assert ("image", "vqa_2", "image_size_mismatch") in output.rejected()
    assert list(by_stem(output)) == ["vqa_1"]


def test_a_limit_takes_whole_records(owner, build_source):
    owner.write("vqa", question(1), question(2))
    output = build_source("gar_bench", owner.root, evaluation=True, limit=1)
    read = output.ledger().sources["gar_bench"]["vqa"]["read"]
    counts = {kind: (read[kind].kept, read[kind].sampled_out) for kind in ("image", "question")}
    assert counts == {"image": (1, 1), "question": (1, 1)}
    assert (read["annotation"].kept, read["annotation"].sampled_out) == (2, 2)


def test_one_region_of_a_pair_is_never_described_alone(owner, build_source):
    pair = {"mask_rles": list(MASKS), "subject_name": "cup", "object_name": "table"}
    blank, broken = {"predicate_name": " "}, {"mask_rles": [MASKS[0], MASKS[1] | {"counts": "?"}]}
    good = {"image": "images/caption_detailed_0.png", "predicate_name": "on"} | pair
    owner.write(
        "detailed",
        good,
        good | {"image": "images/caption_detailed_1.png"} | blank,
        good | {"image": "images/caption_detailed_2.png"} | broken,
    )
    output = build_source("gar_bench", owner.root, evaluation=True)
    assert list(by_stem(output)) == ["caption_detailed_0"]
    reasons = {("relationship", "caption_detailed_1", "text_empty")}
    reasons |= {("relationship", "caption_detailed_2", "unknown_region")}
    assert reasons <= set(output.rejected())
    output.ledger()


def test_hostile_text_is_disarmed(owner, build_source):
    text = "Is <Prompt0> <image> or ### <Prompt1> USER: <region7>?"
    owner.write("vqa", question(1, question=text, choices=["A. <region2>", "B. <s>"]))
    output = build_source("gar_bench", owner.root, evaluation=True)
    (row,) = output.rows()
    assert row["messages"][0]["content"] == (
        "<image>\nIs [1] <region1> (image) or # # # [2] <region2> USER : (region7)?\n"
        f"A. (region2)\nB. (s)\n{LAST_LINE}"
    )
    assert verify(str(output.folder)).problems == []


@pytest.mark.parametrize("content", [b"{}", b"[", b"[]", b"[1]"])
def test_another_file_is_refused_with_what_was_expected(owner, build_source, content):
    (owner.folder / "GAR-Bench-VQA.json").write_bytes(content)
    with pytest.raises(InputFileError, match=r"GAR-Bench-VQA\.json .*JSON list of records"):
        build_source("gar_bench", owner.root, evaluation=True)


def test_the_original_pictures_of_the_records(real):
    names = {
        split: original_names(json.dumps(records(real, split)).encode(), split) for split in NAMES
    }
    assert names["vqa"] == {
        "2897.jpg", "objects365_v2_01968981.jpg", "5461.jpg", "000000099810.jpg",
    }  # fmt: skip
    assert names["simple"] == {"000000530099.jpg", "000000511760.jpg"}
    assert names["detailed"] == set()
    listed = json.dumps([{"image_path": "D:\\data\\7.jpg"}, {"image_path": 3}, 4])
    assert original_names(listed.encode(), "x") == {"7.jpg"}


def test_it_is_for_evaluation_only(owner, build_source):
    owner.write("vqa", question(1))
    with pytest.raises(UsageError, match="'gar_bench' has no tasks in the regiongpt style"):
        build_source("gar_bench", owner.root)
