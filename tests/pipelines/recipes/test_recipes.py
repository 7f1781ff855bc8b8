"""The recipes that come with the package, and recipes of a user's own."""

import hashlib
import json
import re
from collections import Counter, defaultdict
from pathlib import Path

import pytest
from datasets import load_dataset

from pipelines.recipes import recipe_names
from pipelines.recipes.load import load_recipe, make_recipe
from pipelines.verify import verify
from schemas.choice import NO_OPTION
from schemas.sample import MULTI_TASK, Task

LABELS = ("--label-set", "coco=Shapes-15", "--label-set", "lvis=Shapes")
BUILT = {  # with the flags that the sample world needs beside where it lies
    "gpt4roi_stage1": LABELS[:2],
    "gpt4roi_stage2": (),
    "regiongpt_pretrain": (),
    "regiongpt_finetune": (*LABELS, "--no-recapd"),
    "proof": (),
    "region_questions": (*LABELS, "--complete", "coco", "--complete", "lvis"),
}
EVALUATED = {
    "eval_captions": (),
    "eval_coco": LABELS[:2],
    "eval_coco_dilated": LABELS[:2],
    "eval_coco_eroded": LABELS[:2],
    "eval_dlc": (),
    "eval_gar": (),
    "eval_lvis": ("--label-set", "lvis=Figures-15"),
    "eval_pope": (),
    "eval_rec": (
        "--detection-names",
        "coco",
        "--detections",
        "refcocog={}/refcocog/detections.json",
    ),
    "eval_v3det": (),
    "eval_vcr": (),
}
COUNTED = {  # records that an evaluation of the sample world has
    "eval_captions": {("refcocog", "val"): 32, ("visual_genome", "test"): 8},
    "eval_dlc": {("dlc_bench", "test"): 48},
    "eval_gar": {("gar_bench", "vqa"): 8, ("gar_bench", "simple"): 4, ("gar_bench", "detailed"): 4},
    "eval_lvis": {("lvis", "val"): 128},
    "eval_pope": {
        ("pope", "random"): 138, ("pope", "popular"): 138, ("pope", "adversarial"): 138,
    },
}  # fmt: skip
TRAINING = {"gpt4roi_stage1", "gpt4roi_stage2", "regiongpt_pretrain", "regiongpt_finetune"}


@pytest.fixture(scope="module")
def built(sample_world, command_line, new_process, output_of, tmp_path_factory):
    """Builds a recipe from the command line, once for each set of flags."""
    done: dict[tuple[str, ...], object] = {}

    def build(name, *flags):
        if (name, *flags) not in done:
            output = tmp_path_factory.mktemp("output")
            where = ("--data-root", sample_world, "--output", output)
            default_flags = [word.format(sample_world) for word in (BUILT | EVALUATED)[name]]
            run = new_process if "--workers" in flags else command_line
            process = run("build", "--recipe", name, *default_flags, *where, *flags)
            assert process.returncode == 0, process.stderr
            done[(name, *flags)] = output_of(output), process.stdout
        return done[(name, *flags)]

    return build


def test_there_are_training_mixes_and_evaluations():
    assert set(recipe_names()) == TRAINING | EVALUATED.keys() | {"proof", "region_questions"}
    for name in recipe_names():
        stated = load_recipe(name)
        if name not in ("regiongpt_finetune", "eval_rec"):  # which want more files named
            recipe = make_recipe(stated, name)
            assert (recipe.name, recipe.evaluation) == (name, name.startswith("eval_"))
            assert recipe.about


def test_the_mixes_are_those_of_the_papers():
    stated = {name: load_recipe(name) for name in TRAINING}
    caps = {
        name: {
            source["name"]: (source.get("per_category"), source.get("per_image"))
            for source in recipe["sources"]
        }
        for name, recipe in stated.items()
    }
    assert caps == {
        "gpt4roi_stage1": {
            "coco": (None, 100), "refcoco": (None, 15), "refcoco_plus": (None, 15),
        },
        "gpt4roi_stage2": {
            "visual_genome": (None, 15), "refcocog": (None, 15), "flickr30k": (None, 150),
            "vcr": (None, None), "llava": (None, None),
        },
        "regiongpt_pretrain": {
            "llava_pretrain": (None, None), "v3det": (100, None), "visual_genome": (None, 10),
            "refcocog": (None, None),
        },
        "regiongpt_finetune": {
            "llava": (None, None), "v3det": (10, None), "coco": (20, None), "lvis": (20, None),
            "visual_genome": (None, 10), "refcocog": (None, None),
        },
    }  # fmt: skip
    for name, recipe in stated.items():
        assert recipe["style"] == name.partition("_")[0]
        assert bool(recipe.get("merge")) == name.startswith("regiongpt")
        splits = [source.get("splits", ["train"]) for source in recipe["sources"]]
        assert splits == [["train"]] * len(splits)


@pytest.mark.parametrize("name", BUILT)
def test_a_mix_of_the_sample_world(built, name):
    output, shown = built(name)
    output.ledger()
    assert verify(str(output.folder)).problems == []
    sources = [source["name"] for source in load_recipe(name)["sources"]]
    opened = load_dataset(str(output.folder), name, split="train")
    assert set(opened["source"]) == set(sources)
    assert set(load_dataset(str(output.folder), split="train")["id"]) == set(opened["id"])
    for source in sources:
        assert len(load_dataset(str(output.folder), source, split="train"))
    card = (output.folder / "README.md").read_text("utf-8")
    paper = load_recipe(name).get("paper", {"reports": [], "contradictions": []})
    for report in paper["reports"]:
        assert f"{report['number']:,}" in shown
        assert f"| {report['source']} | {report['what']} | {report['number']} |" in card
    assert all(f"- {line}" in card for line in paper["contradictions"])


@pytest.mark.parametrize("name", EVALUATED)
def test_an_evaluation_of_the_sample_world(built, name):
    output, _ = built(name)
    assert not output.ledger().guard
    assert verify(str(output.folder)).problems == []
    opened = load_dataset(str(output.folder), name)
    rows = [row for split in opened.values() for row in split.remove_columns("image")]
    assert len(rows) == len(output.rows())
    assert all(row["evaluation"][0]["item_id"] for row in rows)
    assert {split: data.num_rows for split, data in opened.items()} == Counter(
        row["split"] for row in rows
    )
    wanted = {
        (source["name"], split)
        for source in load_recipe(name)["sources"]
        for split in source.get("splits", ["random", "popular", "adversarial"])
    }
    assert {(row["source"], row["split"]) for row in rows} == wanted


@pytest.mark.parametrize("name", COUNTED)
def test_records_of_an_evaluation_have_references(built, name):
    opened = load_dataset(str(built(name)[0].folder), name)
    rows = [row for split in opened.values() for row in split.remove_columns("image")]
    assert Counter((row["source"], row["split"]) for row in rows) == COUNTED[name]
    assert all(row["evaluation"][0]["references"] for row in rows)


@pytest.mark.parametrize("name", [*BUILT, *EVALUATED])
def test_workers_decide_nothing(built, name):
    one, two = built(name)[0], built(name, "--workers", "2")[0]
    assert one.digests() == two.digests()
    assert (one.ledger(), one.rejected()) == (two.ledger(), two.rejected())
    assert one.manifest() == two.manifest()


@pytest.mark.parametrize("name", ["regiongpt_pretrain", "regiongpt_finetune"])
def test_the_tasks_of_an_image_are_merged(built, name):
    merged = [row for row in built(name)[0].rows() if row["task"] == MULTI_TASK]
    tasks = defaultdict(set)
    for row in merged:
        tasks[row["source"]].add(frozenset(row["turn_tasks"]))
    assert {Task.REGION_CAPTION, Task.REGION_RELATIONSHIP} in tasks["visual_genome"]
    assert {Task.REGION_CAPTION, Task.REFERRING_EXPRESSION_COMPREHENSION} in tasks["refcocog"]
    for row in merged:
        if row["source"] == "refcocog":
            check_nothing_is_said_twice(row)


def test_there_are_candidates_to_choose_among(built):
    asked: Counter[bool] = Counter()
    for row in built("regiongpt_finetune")[0].rows():
        listed = set()
        turns = zip(row["turn_tasks"], row["messages"][::2], row["messages"][1::2], strict=True)
        for task, request, answer in turns:
            if task == Task.REFERRING_EXPRESSION_COMPREHENSION:
                listed |= set(re.findall(r"\[\d+\] <region(\d+)>", request["content"]))
                asked[answer["content"] == NO_OPTION] += 1
                assert len(listed) >= 2
    assert min(asked[True], asked[False]) > 0


def check_nothing_is_said_twice(row):
    """No caption of a conversation is what one of its choices asks for."""
    turns = zip(row["turn_tasks"], row["messages"][::2], row["messages"][1::2], strict=True)
    captions, asked = set(), []
    for task, request, answer in turns:
        if task == Task.REGION_CAPTION:
            captions.add(answer["content"])
        else:
            asked.append(request["content"])
    assert captions
    assert asked
    assert not [text for text in captions for request in asked if f'"{text}"' in request]


def test_the_mix_of_llava_is_the_one_of_version_1_5(built):
    (mix_file,) = [
        item
        for item in built("regiongpt_finetune")[0].manifest().identity.inputs
        if (item.source, item.role) == ("llava", "train")
    ]
    assert mix_file.name == "llava_v1_5_mix665k.json"
    (other,) = [
        item
        for item in built("gpt4roi_stage2")[0].manifest().identity.inputs
        if (item.source, item.role) == ("llava", "train")
    ]
    assert other.name == "llava_instruct_150k.json"


def brute_rank(*parts: object) -> int:
    """The rank of a region, spelled out: 63 bits of the hash of the parts with their lengths."""
    text = "".join(f"{len(str(part))}:{part}" for part in parts)
    digest = hashlib.blake2b(text.encode(), digest_size=16).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def smallest(file: Path, source: str, number: int, refused: set[str]) -> tuple[set[str], set[str]]:
    """The ids of the regions that a cap leaves, by sorting everything; and categories that lack."""
    data = json.loads(file.read_bytes())
    names = {item["id"]: item["name"] for item in data["categories"]}
    ranked = defaultdict(list)
    for item in data["annotations"]:
        region_id = str(item["id"])
        if region_id not in refused:
            key = brute_rank(0, "per_category", source, "train", item["image_id"], region_id)
            ranked[names[item["category_id"]]].append((key, region_id))
    left = {name for regions in ranked.values() for _, name in sorted(regions)[:number]}
    return left, {name for name in names.values() if len(ranked[name]) < number}


def test_n_regions_of_each_category_by_source(sample_world, command_line, output_of, tmp_path):
    caps = {"coco": 5, "lvis": 4}
    words = [word for name, cap in caps.items() for word in ("--per-category", f"{name}={cap}")]
    flags = ("--sources", ",".join(caps), "--data-root", sample_world, "--no-guard")
    process = command_line("build", *flags, *words, *LABELS, "--output", tmp_path)
    assert process.returncode == 0, process.stderr
    output = output_of(tmp_path)
    lines = [
        json.loads(line)
        for path in tmp_path.glob("_rejected/*.jsonl")
        for line in path.read_bytes().splitlines()
    ]
    files = {
        "coco": "coco/annotations/instances_train2017.json",
        "lvis": "lvis/lvis_v1_train.json",
    }
    for source, number in caps.items():
        of_source = [
            line
            for line in lines
            if (line["source"], line["split"], line["kind"]) == (source, "train", "annotation")
        ]
        before = {line["id"] for line in of_source if line["stage"] in ("read", "screen")}
        lost = {line["id"] for line in of_source} - before  # with their pictures, when drawn
        rows = output.rows(f"{source}/train-*.arrow")
        kept = [region["region_id"] for row in rows for region in row["regions"]]
        expected, short = smallest(sample_world / files[source], source, number, before)
        assert len(kept) == len(set(kept))
        assert set(kept) | lost == expected
        assert output.manifest().short_categories.get(f"{source}/train", {}).keys() == short


def test_flags_overrule_a_recipe(sample_world, command_line, output_of, tmp_path):
    flags = ("--recipe", "regiongpt_finetune", "--no-recapd", *LABELS, "--seed", "7")
    more = ("--per-category", "coco=all", "--no-merge", "--limit", "5", "--style", "regiongpt")
    where = ("--data-root", sample_world, "--output", tmp_path)
    process = command_line("build", *flags, *more, *where)
    assert process.returncode == 0, process.stderr
    stated = output_of(tmp_path).manifest().identity.recipe
    assert (stated["name"], stated["seed"], stated["limit"]) == ("regiongpt_finetune", 7, 5)
    caps = {source["name"]: source["per_category"] for source in stated["sources"]}
    assert (caps["coco"], caps["lvis"], caps["v3det"]) == (None, 20, 10)
    assert MULTI_TASK not in {row["task"] for row in output_of(tmp_path).rows()}


def test_the_finetuning_wants_detailed_captions(sample_world, command_line, tmp_path):
    where = ("--data-root", sample_world, "--output", tmp_path / "output")
    process = command_line("build", "--recipe", "regiongpt_finetune", *LABELS, *where)
    assert process.returncode == 2
    assert "--recapd DIR, or leave them out with --no-recapd" in process.stderr
    assert not (tmp_path / "output").exists()
