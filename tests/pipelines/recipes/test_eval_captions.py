"""The evaluation of captions on real sentences: RefCOCOg val and Visual Genome, read a second time.

The flat file has all sentences of RefCOCOg val; of Visual Genome five images are there. Pictures
are stand-ins of the stated sizes.
"""

import json
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest
from datasets import load_dataset
from PIL import Image

from pipelines.datasets.visual_genome.test_split import test_ids as chosen_ids
from pipelines.verify import verify
from schemas.errors import BuildError, InputFileError, UsageError

PIXELS = 0.01
TEST_IMAGES = (2, 4)  # of Visual Genome's five

Box = tuple[float, ...]


def stand_in(path: Path, width: int, height: int) -> None:
    if not path.exists():
        Image.new("L", (width, height), 90).save(path)


@pytest.fixture(scope="module")
def root(samples, tmp_path_factory):
    """A data root with both sources, a list of test images, and all pictures."""
    root = tmp_path_factory.mktemp("captions")
    (root / "coco" / "train2014").mkdir(parents=True)
    for record in sentences(samples):
        name = record["img_id"].rpartition("_")[0] + ".jpg"
        stand_in(root / "coco" / "train2014" / name, record["width"], record["height"])
    real, folder = samples / "visual_genome" / "v1.2", root / "visual_genome"
    for name in ("VG_100K", "VG_100K_2"):
        (folder / name).mkdir(parents=True)
    for name in ("image_data", "region_descriptions", "relationships"):
        (folder / f"{name}.json").symlink_to(real / f"{name}.json")
    for image in json.loads((real / "image_data.json").read_bytes()):
        path = folder / "/".join(image["url"].split("/")[-2:])
        stand_in(path, image["width"], image["height"])
    (folder / "test_ids.txt").write_text("".join(f"{number}\n" for number in TEST_IMAGES))
    return root


def flat_file(samples: Path) -> Path:
    return samples / "refcoco" / "minigpt4_eval" / "refcocog_val.json"


def sentences(samples: Path) -> Any:
    return json.loads(flat_file(samples).read_bytes())


@pytest.fixture(scope="module")
def output(samples, root, command_line, output_of, tmp_path_factory):
    """What the recipe makes of both."""
    folder = tmp_path_factory.mktemp("output")
    words = ["build", "--recipe", "eval_captions", "--data-root", root, "--output", folder]
    done = command_line(*words, "--path", f"refcocog.val={flat_file(samples)}")
    assert done.returncode == 0, done.stderr
    return output_of(folder)


def rows_of(output, source):
    return [row for row in output.rows() if row["source"] == source]


def reference_of(row) -> tuple[str, Box, Counter[str]]:
    """An image, the box asked about, and its references."""
    (region,) = row["regions"]
    return (
        row["id"].split("/")[2],
        tuple(region["bbox"]),
        Counter(row["evaluation"][0]["references"]),
    )


def test_every_sentence_of_refcocog_is_a_reference_of_its_box(samples, output):
    references: defaultdict[tuple[str, Box], Counter[str]] = defaultdict(Counter)
    assert len(sentences(samples)) == 4_896  # seven of them stand twice in a ref, and count
    for record in sentences(samples):
        x, y, width, height = record["bbox"]
        number = str(int(record["img_id"].split("_")[2]))
        references[number, (x, y, x + width, y + height)][record["sents"]] += 1
    rows = rows_of(output, "refcocog")
    assert len(rows) == len(references)
    by_image = defaultdict(list)
    for (number, box), texts in references.items():
        by_image[number].append((box, texts))
    for row in rows:
        number, box, texts = reference_of(row)
        (expected,) = [
            other
            for path, other in by_image[number]
            if box == pytest.approx(path, abs=PIXELS, rel=0)
        ]
        assert texts == expected
        assert row["evaluation"][0]["group"] == number
    assert sum(len(row["evaluation"][0]["references"]) for row in rows) == 4_896


def test_every_phrase_of_the_test_images_is_a_reference(samples, output):
    real = json.loads((samples / "visual_genome" / "v1.2" / "region_descriptions.json").read_text())
    images = json.loads((samples / "visual_genome" / "v1.2" / "image_data.json").read_text())
    sizes = {image["image_id"]: (image["width"], image["height"]) for image in images}
    rows = {row["evaluation"][0]["item_id"]: row for row in rows_of(output, "visual_genome")}
    expected = [
        (image["id"], region)
        for image in real
        if image["id"] in TEST_IMAGES
        for region in image["regions"]
    ]
    assert len(rows) == len(expected) > 100
    for image, region in expected:
        row = rows[str(region["region_id"])]
        x, y, right, bottom = (region[key] for key in ("x", "y", "width", "height"))
        width, height = sizes[image]
        box = max(0, x), max(0, y), min(width, x + right), min(height, y + bottom)
        path = reference_of(row)
        assert path[0] == str(image)
        assert path[1] == pytest.approx(box, abs=PIXELS, rel=0)
        assert row["evaluation"][0]["references"] == [" ".join(region["phrase"].split())]


def test_each_record_asks_about_one_region_and_holds_the_answer(output):
    requests = set()
    for row in output.rows():
        assert row["turn_tasks"] == ["region_caption"]
        request, answer = (turn["content"] for turn in row["messages"])
        requests.add(request)
        assert answer == row["evaluation"][0]["references"][0]
        assert row["evaluation"][0]["item_id"] == row["regions"][0]["region_id"]
        assert (row["evaluation"][0]["choices"], row["evaluation"][0]["label"]) == ([], None)
    assert len(requests) == 1  # the wording is fixed


def test_the_books_are_exact(output):
    assert output.rejected() == []
    sources = output.ledger().sources
    read = sources["refcocog"]["val"]["read"]["sentence"]
    assert (read.read, read.kept) == (4_896, 4_896)
    accounts = sources["visual_genome"]["test"]["read"]
    assert accounts.keys() == {"file", "image", "annotation", "sentence"}
    assert (accounts["image"].read, accounts["image"].kept) == (2, 2)
    assert accounts["sentence"].read == len(rows_of(output, "visual_genome"))


def test_it_is_sound_and_opens_by_the_recipe_s_name(output, tmp_path):
    assert verify(str(output.folder)).problems == []
    opened = load_dataset(str(output.folder), "eval_captions", cache_dir=str(tmp_path))
    assert {split: data.num_rows for split, data in opened.items()} == {
        "val": len(rows_of(output, "refcocog")),
        "test": len(rows_of(output, "visual_genome")),
    }


@pytest.fixture
def build_test(root, run_build):
    """Builds Visual Genome's test split."""

    def build(**options):
        paths = options.pop("paths", {})
        request = {"name": "visual_genome", "splits": ["test"], "paths": paths}
        return run_build(root, request=request, evaluation=True, **options)

    return build


def test_parts_change_nothing(output, build_test, in_parts):
    whole, parts = build_test(), build_test(launch_options=in_parts)
    assert whole.digests() == parts.digests()
    assert whole.ledger() == parts.ledger()
    assert len(whole.rows()) == len(rows_of(output, "visual_genome"))


def test_without_a_list_images_are_chosen_by_hash(root, build_test, tmp_path):
    default_path = root / "visual_genome" / "test_ids.txt"
    default_path.rename(tmp_path / "list.txt")
    try:
        with pytest.raises(BuildError, match="nothing was kept"):
            build_test()  # 5,000 of 108,077 are not one of five
        named = build_test(paths={"test_ids": str(tmp_path / "list.txt")})
    finally:
        (tmp_path / "list.txt").rename(default_path)
    assert set(named.images()) == set(map(str, TEST_IMAGES))


def test_by_hash_as_many_are_chosen_as_the_whole_has_in_proportion():
    chosen = {number: chosen_ids(range(number), None, "") for number in (10, 1_000, 108_077)}
    assert {number: len(ids) for number, ids in chosen.items()} == {
        10: 0,
        1_000: 46,
        108_077: 5_000,
    }
    assert chosen[1_000] == chosen_ids([*reversed(range(1_000))], None, "")


def test_a_list_that_is_named_must_be_there(build_test, tmp_path):
    with pytest.raises(UsageError, match=r"missing: .*nowhere\.txt"):
        build_test(paths={"test_ids": str(tmp_path / "nowhere.txt")})


@pytest.mark.parametrize(("text", "problem"), [("", "is empty"), ("2\nx\n", "'x' in line 2")])
def test_a_list_that_is_none_is_refused(build_test, tmp_path, text, problem):
    (tmp_path / "ids.txt").write_text(text)
    with pytest.raises(InputFileError, match=rf"ids\.txt .*{problem}"):
        build_test(paths={"test_ids": str(tmp_path / "ids.txt")})


def test_a_limit_leaves_out_test_images_alone(build_test):
    output = build_test(limit=1)
    read = output.ledger().sources["visual_genome"]["test"]["read"]
    assert (read["image"].kept, read["image"].sampled_out) == (1, 1)
    assert read["sentence"].kept == len(output.rows())


def test_the_test_split_is_read_only_where_it_is_asked_for(root, run_build):
    output = run_build(root, request={"name": "visual_genome"}, guard=False)
    assert output.ledger().sources["visual_genome"].keys() == {"train"}
    assert set(output.images()) == set("12345")
    with pytest.raises(UsageError, match="no split 'val', but: train, test"):
        run_build(root, request={"name": "visual_genome", "splits": ["val"]})


@pytest.fixture
def spoilt(root, tmp_path):
    """The root's Visual Genome with something wrong in both splits' images."""
    folder = tmp_path / "root" / "visual_genome"
    folder.mkdir(parents=True)
    for path in (root / "visual_genome").iterdir():
        (folder / path.name).symlink_to(path)
    changed = {}
    for name in ("image_data", "region_descriptions"):
        changed[name] = json.loads((folder / f"{name}.json").read_bytes())
        (folder / f"{name}.json").unlink()
    for image in changed["region_descriptions"]:
        del image["regions"][3:]
        image["regions"][1]["phrase"] = None
    changed["region_descriptions"] += [{"regions": [{"phrase": "of no image"}]}, 7]
    changed["image_data"] += [changed["image_data"][0], changed["image_data"][1], {"image_id": 9}]
    for name, content in changed.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
    return tmp_path / "root"


def test_what_is_wrong_with_other_images_is_no_matter_of_the_test_split(spoilt, run_build):
    request = {"name": "visual_genome", "splits": ["test"]}
    output = run_build(spoilt, request=request, evaluation=True)
    reasons = Counter((kind, reason) for kind, _, reason in output.rejected())
    assert reasons == {
        ("image", "duplicate_id"): 1,
        ("annotation", "malformed"): 2,
        ("sentence", "malformed"): 2,
    }
    read = output.ledger().sources["visual_genome"]["test"]["read"]
    assert (read["image"].read, read["sentence"].read, read["sentence"].kept) == (3, 6, 4)
    assert len(output.rows()) == 4
