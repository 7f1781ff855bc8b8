"""The modes of evaluations of classification, real COCO and LVIS v0.5, and splits that are missing.

RegionGPT's Table 13 asks about the regions of an image in three ways; each is read back from the
records beside the owner's file.
"""

import json
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from pipelines.plan import make_plan
from pipelines.recipes.load import load_recipe, make_recipe
from pipelines.recipes.resolve import resolve
from pipelines.verify import verify
from prompts.instruction import InstructionMode
from schemas.errors import UsageError

MODES = [mode.value for mode in InstructionMode]


@pytest.fixture(scope="module")
def build(command_line, output_of, tmp_path_factory):
    """Builds by the command line; returns the output and what stood on the console."""

    def run(recipe, root, *flags):
        folder = tmp_path_factory.mktemp("output")
        words = ["build", "--recipe", recipe, "--data-root", root, "--output", folder, *flags]
        done = command_line(*words)
        assert done.returncode == 0, done.stderr
        return output_of(folder), done.stderr

    return run


@pytest.fixture(scope="module")
def owner(tinycoco):
    """The single objects of real COCO val, by image: ids and names in order of the ids."""
    file = json.loads((tinycoco / "coco/annotations/instances_val2017.json").read_bytes())
    names = {category["id"]: category["name"] for category in file["categories"]}
    objects = defaultdict(list)
    for annotation in file["annotations"]:
        if not annotation["iscrowd"]:
            objects[str(annotation["image_id"])].append(annotation)
    return {
        image: [
            (str(item["id"]), names[item["category_id"]])
            for item in sorted(items, key=lambda item: (len(str(item["id"])), str(item["id"])))
        ]
        for image, items in objects.items()
    }


@pytest.mark.parametrize("mode", MODES)
def test_every_object_is_asked_about_once_in_the_order_of_the_answer(tinycoco, build, owner, mode):
    output, _ = build("eval_coco", tinycoco, "--mode", mode)
    asked = defaultdict(list)
    turns: Counter[int] = Counter()
    for row in output.rows():
        answers = [turn["content"] for turn in row["messages"] if turn["role"] == "assistant"]
        turns[len(answers)] += 1
        parts = Counter(entry["turn"] for entry in row["evaluation"])
        assert parts.keys() == set(range(len(answers)))
        for entry in row["evaluation"]:
            names = answers[entry["turn"]].split(", ")
            assert len(names) == parts[entry["turn"]]
            assert [names[entry["position"]]] == entry["references"]
            assert entry["group"] == row["id"].split("/")[2]
            asked[entry["group"]].append((entry["item_id"], entry["references"][0]))
    assert {image: sorted(items) for image, items in asked.items()} == {
        image: sorted(items) for image, items in owner.items()
    }
    expected = {
        "one_turn_one": Counter({1: sum(map(len, owner.values()))}),
        "multi_turn_all": Counter(map(len, owner.values())),
        "one_turn_all": Counter({1: sum(-(-len(items) // 10) for items in owner.values())}),
    }
    assert turns == expected[mode]
    assert output.ledger()
    assert verify(str(output.folder)).problems == []


def test_a_conversation_has_the_objects_in_order_of_their_ids(tinycoco, build, owner):
    output, _ = build("eval_coco", tinycoco, "--mode", "multi_turn_all")
    for row in output.rows():
        entries = [(entry["item_id"], entry["references"][0]) for entry in row["evaluation"]]
        assert entries == owner[row["id"].split("/")[2]]
        assert [region["region_id"] for region in row["regions"]] == [name for name, _ in entries]


def test_one_region_a_conversation_is_what_an_evaluation_has_unless_told(tinycoco, build):
    usual, _ = build("eval_coco", tinycoco)
    stated, _ = build("eval_coco", tinycoco, "--mode", "one_turn_one")
    assert usual.digests() == stated.digests()
    recipe = make_recipe(load_recipe("eval_v3det"), "eval_v3det")
    assert recipe.mode is InstructionMode.ONE_TURN_ONE
    mine = {"name": "mine", "sources": [{"name": "coco"}]}
    assert make_recipe(mine, "mine").mode is InstructionMode.MULTI_TURN_ALL


@pytest.mark.parametrize("name", ["eval_captions", "eval_dlc", "eval_gar", "eval_pope", "eval_vcr"])
@pytest.mark.parametrize("mode", MODES)
def test_an_evaluation_without_modes_takes_none(command_line, tmp_path, name, mode):
    words = ["build", "--recipe", name, "--data-root", tmp_path, "--output", tmp_path / "out"]
    done = command_line(*words, "--mode", mode)
    assert done.returncode == 2
    assert "mode" in done.stderr
    assert "region_classification" in done.stderr


def test_an_evaluation_leaves_no_captions_out(command_line, tmp_path):
    words = ["build", "--recipe", "eval_dlc", "--data-root", tmp_path, "--output", tmp_path / "out"]
    done = command_line(*words, "--no-recapd")
    assert done.returncode == 2
    assert "--no-recapd changes nothing here" in done.stderr


def test_a_recipe_of_one_s_own_states_no_mode_in_vain():
    stated = load_recipe("eval_pope") | {"mode": "one_turn_all"}
    with pytest.raises(UsageError, match="mode one_turn_all: expected one_turn_one"):
        resolve(make_recipe(stated, "mine"))


def test_real_lvis_of_version_0_5(samples, tmp_path, build):
    """The two pictures that are there; all other images are rejected as missing."""
    (tmp_path / "coco").mkdir()
    (tmp_path / "coco" / "val2017").symlink_to(samples / "lvis" / "images" / "val2017")
    path = samples / "lvis" / "lvis_val_100.json"
    output, _ = build("eval_lvis", tmp_path, "--path", f"lvis.val={path}", "--allow-missing")
    file = json.loads(path.read_bytes())
    there = {int(name.stem) for name in (tmp_path / "coco" / "val2017").iterdir()}
    names = {category["id"]: category["name"] for category in file["categories"]}
    expected = {
        str(item["id"]): (str(item["image_id"]), names[item["category_id"]].replace("_", " "))
        for item in file["annotations"]
        if item["image_id"] in there
    }
    asked = {}
    for row in output.rows():
        (entry,) = row["evaluation"]
        assert (entry["choices"], entry["label"]) == ([], None)  # 1,230 names are too many
        assert row["messages"][0]["content"].endswith("using LVIS-1230 category names.")
        assert row["messages"][1]["content"] == entry["references"][0]
        asked[entry["item_id"]] = (entry["group"], entry["references"][0])
    assert asked == expected
    assert output.booked(output.ledger(), "rejected")["image", "image_missing"] == 98
    assert verify(str(output.folder)).problems == []


def test_pope_takes_the_files_that_are_there_and_names_the_others(sample_world, tmp_path, build):
    (tmp_path / "coco").symlink_to(sample_world / "coco")
    (tmp_path / "pope").mkdir()
    name = "coco_pope_random.json"
    (tmp_path / "pope" / name).symlink_to(sample_world / "pope" / name)
    output, shown = build("eval_pope", tmp_path)
    assert {row["split"] for row in output.rows()} == {"random"}
    lines = [line for line in shown.splitlines() if line.startswith("splits:")]
    assert lines == [
        f"splits: pope: {split} is left out, for lack of {tmp_path}/pope/coco_pope_{split}.json"
        for split in ("popular", "adversarial")
    ]
    assert verify(str(output.folder)).problems == []


def test_a_file_that_is_named_is_never_left_out(sample_world, tmp_path, command_line):
    (tmp_path / "coco").symlink_to(sample_world / "coco")
    for stated, path in (
        ("random", sample_world / "pope/coco_pope_random.json"),
        ("popular", "no"),
    ):
        words = ["build", "--recipe", "eval_pope", "--data-root", sample_world, "--dry-run"]
        words += ["--output", tmp_path / "o", "--path", f"pope.{stated}={path}"]
        done = command_line(*words)
        assert done.returncode == (2 if path == "no" else 0), done.stderr
        assert ("missing: no." in done.stderr) == (path == "no")


def test_a_flat_file_of_one_split_is_enough(sample_world, tmp_path, build):
    instances = json.loads((sample_world / "refcocog" / "instances.json").read_bytes())
    images = {image["id"]: image for image in instances["images"][:4]}
    records = [
        {
            "img_id": f"{Path(images[item['image_id']]['file_name']).stem}_{item['id']}",
            "sents": "the thing in this box",
            "bbox": item["bbox"],
            "height": images[item["image_id"]]["height"],
            "width": images[item["image_id"]]["width"],
        }
        for item in instances["annotations"]
        if item["image_id"] in images and not item["iscrowd"]
    ]
    (tmp_path / "val.json").write_text(json.dumps(records), encoding="utf-8")
    flags = ["--path", f"refcocog.val={tmp_path / 'val.json'}", "--detection-names", "coco"]
    flags += ["--detections", f"refcocog={sample_world / 'refcocog' / 'detections.json'}"]
    output, shown = build("eval_rec", sample_world, *flags)
    assert {row["split"] for row in output.rows()} == {"val"}
    assert "splits: refcocog: test is left out, for lack of its file" in shown
    assert verify(str(output.folder)).problems == []


def test_without_any_file_of_pope_all_are_named(sample_world, tmp_path, command_line):
    (tmp_path / "coco").symlink_to(sample_world / "coco")
    words = ["build", "--recipe", "eval_pope", "--data-root", tmp_path, "--output", tmp_path / "o"]
    done = command_line(*words)
    assert done.returncode == 2
    for split in ("random", "popular", "adversarial"):
        assert f"coco_pope_{split}.json" in done.stderr


def test_a_mix_to_train_on_wants_every_split_that_it_names(sample_world, tmp_path):
    (tmp_path / "coco" / "annotations").mkdir(parents=True)
    for name in ("annotations/instances_train2017.json", "train2017"):
        (tmp_path / "coco" / name).symlink_to(sample_world / "coco" / name)
    source = {"name": "coco", "label_set": "Shapes-15", "splits": ["train", "val"]}
    recipe = make_recipe({"name": "mine", "guard": False, "sources": [source]}, "mine")
    with pytest.raises(UsageError, match=r"not complete; missing: .*instances_val2017\.json"):
        make_plan(recipe, str(tmp_path), str(tmp_path / "out"))
