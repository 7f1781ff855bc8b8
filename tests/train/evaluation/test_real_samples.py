"""Real files of the owners, from `build` to `evaluate`, scored a second time from the owner's file.

Pictures that are not at hand are drawn in their stated size. A tiny model replies, and where its
nonsense would prove little, a file of predictions that mixes right and wrong takes its place.

Length: eight owners' files share the means of building and scoring.
"""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image

from pipelines.cli.parser import run as run_pipelines
from schemas.predictions import Prediction, read_predictions, write_predictions
from train.cli import make_parser
from train.evaluation.plan import make_plan
from train.evaluation.run import evaluate


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    """Builds a recipe from a data root by the command line."""

    def run(recipe, root, *flags):
        folder: Path = tmp_path_factory.mktemp("build")
        words = ["build", "--recipe", recipe, "--data-root", root, "--output", folder, *flags]
        assert run_pipelines(list(map(str, words))) == 0
        return folder

    return run


@pytest.fixture(scope="module")
def score(tiny_models, rows_of, tmp_path_factory):
    """Evaluates a tiny model on a build, or the answers that a function gives to each record."""

    def run(config, shards, answer=None, *, kind="regiongpt", flags=()):
        words = ["evaluate", "--config", config, "--shards", str(shards), *flags]
        output: Path = tmp_path_factory.mktemp("scored")
        file = output / "predictions.jsonl"
        rows = {row["id"]: row for row in rows_of(shards)}
        if answer is None:
            words += ["--checkpoint", str(tiny_models[kind]), "--device", "cpu"]
        else:
            predictions = [
                Prediction(row["id"], entry["turn"], entry["position"], answer(row, entry))
                for row in rows.values()
                for entry in row["evaluation"]
            ]
            write_predictions(file, predictions)
            words += ["--predictions", str(file)]
        report = evaluate(make_plan(make_parser().parse_args([*words, "--output", str(output)])))
        figures = report.ours[0].figures if report.ours else ()
        assert json.loads((output / "report.json").read_bytes())["title"] == config
        return SimpleNamespace(
            figures=figures,
            values={(each.group, each.name): each.value for each in reversed(figures)},
            notes=report.notes,
            rows=rows,
            predictions=read_predictions(file),
        )

    return run


def draw(path: Path, size: tuple[int, int] = (64, 48)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (90, 120, 40)).save(path, quality=10)
    return path


def stand_in(path: Path, size: tuple[int, int], root: Path) -> None:
    """Give a picture of a size a name: a link to the one drawing of that size."""
    drawing = root / "drawings" / f"{size[0]}x{size[1]}.jpg"
    if not drawing.exists():
        draw(drawing, size)
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        path.symlink_to(drawing)


def is_no(answer: str) -> bool:
    words = answer.partition(".")[0].replace(",", "").split(" ")
    return any(word in words for word in ("No", "no", "not"))


def test_pope(samples, build, score, tmp_path):
    file = samples / "pope" / "coco_pope_random.json"
    lines = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    for line in lines:
        stand_in(tmp_path / "coco" / "val2014" / line["image"], (64, 48), tmp_path)
    (tmp_path / "pope").mkdir()
    (tmp_path / "pope" / file.name).symlink_to(file)
    shards = build("eval_pope", tmp_path, "--limit", 100)  # its other two files are not there
    labels = {str(line["question_id"]): line["label"] for line in lines}

    def right(rows, predictions):
        return sum(
            is_no(each.answer) == (labels[rows[each.id]["evaluation"][0]["item_id"]] == "no")
            for each in predictions
        )

    yes, no = "Yes, it is.", "No, there is none."
    mixed = (yes, yes, "There is not", "None", no, no)
    scored = score("eval_pope", shards, lambda row, entry: mixed[int(entry["item_id"]) % 6])
    assert len(lines) == 3_000
    assert len(scored.predictions) == 600  # six questions about each picture
    share = 100 * right(scored.rows, scored.predictions) / 600
    assert scored.values["", "accuracy"] == pytest.approx(share)
    assert 50 < share < 100
    flags = ("--limit", "2", "--max-new-tokens", "4")
    tiny = score("eval_pope", shards, flags=flags)
    count = len(tiny.predictions)
    assert count == 12
    share = 100 * right(tiny.rows, tiny.predictions) / count
    assert tiny.values["", "accuracy"] == pytest.approx(share)


def test_vcr(samples, build, score, tmp_path):
    owner = samples / "vcr"
    file = owner / "vcr1annots" / "train.jsonl"
    texts = file.read_text("utf-8").splitlines()
    lines = {line["annot_id"]: line for line in map(json.loads, texts)}
    assert len(lines) == 60
    for line in lines.values():
        metadata = json.loads((owner / "vcr1images" / line["metadata_fn"]).read_bytes())
        size = metadata["width"], metadata["height"]
        stand_in(tmp_path / "vcr" / "vcr1images" / line["img_fn"], size, tmp_path)
        path = tmp_path / "vcr" / "vcr1images" / line["metadata_fn"]
        if not path.exists():
            path.symlink_to(owner / "vcr1images" / line["metadata_fn"])
    shards = build("eval_vcr", tmp_path, "--path", f"vcr.val={file}", "--limit", 4)
    scored = score("eval_vcr", shards, kind="gpt4roi")
    right: dict[str, dict[str, bool]] = {}
    for each in scored.predictions:
        name, part = scored.rows[each.id]["evaluation"][0]["item_id"].split("/")
        label = lines[name][f"{part}_label"]
        loglik = each.choice_loglik or ()
        right.setdefault(name, {})[part] = loglik[label] == max(loglik)
    count = len(right)
    assert count >= 8
    shares = [
        100 * sum(part(each) for each in right.values()) / count
        for part in (
            lambda each: each["answer"],
            lambda each: each["rationale"],
            lambda each: each["answer"] and each["rationale"],
        )
    ]
    assert [scored.values["", name] for name in ("Q->A", "QA->R", "Q->AR")] == pytest.approx(shares)


@pytest.fixture(scope="module")
def coco(samples, tmp_path_factory):
    """A data root with real pictures and annotations of val2017."""
    tiny, root = samples / "coco" / "tinycoco", tmp_path_factory.mktemp("coco")
    (root / "coco").mkdir()
    (root / "coco" / "annotations").symlink_to(tiny / "annotations")
    (root / "coco" / "val2017").symlink_to(tiny / "images" / "val2017")
    return root


def test_coco(samples, coco, build, score):
    tiny = samples / "coco" / "tinycoco"
    shards = build("eval_coco", coco, "--limit", 5)
    content = json.loads((tiny / "annotations" / "instances_val2017.json").read_bytes())
    names = {each["id"]: each["name"] for each in content["categories"]}
    owner = {str(each["id"]): each for each in content["annotations"]}

    def answer(row, entry):
        number = int(entry["item_id"])
        name = names[owner[entry["item_id"]]["category_id"]]
        return (f"{name.title()}.", "person", "a sort of thing")[number % 3]

    scored = score("eval_coco", shards, answer)
    asked = [owner[row["evaluation"][0]["item_id"]] for row in scored.rows.values()]
    images = {each["image_id"] for each in asked}
    assert len(images) == 5
    assert len(asked) == sum(
        each["image_id"] in images and not each["iscrowd"] for each in owner.values()
    )
    right = sum(
        each["id"] % 3 == 0 or (each["id"] % 3 == 1 and names[each["category_id"]] == "person")
        for each in asked
    )
    assert scored.values["", "accuracy"] == pytest.approx(100 * right / len(asked))
    assert scored.values["", "outside the names"] == sum(each["id"] % 3 == 2 for each in asked)
    flags = ("--limit", "1", "--max-new-tokens", "4", "--regions", "mask")
    tiny_model = score("eval_coco", shards, flags=flags)
    assert tiny_model.values["", "accuracy"] == 0
    assert tiny_model.values["", "outside the names"] == len(tiny_model.predictions)


@pytest.mark.parametrize("mode", ["multi_turn_all", "one_turn_all"])
def test_modes_of_coco(coco, build, score, mode):
    shards = build("eval_coco", coco, "--limit", 3, "--mode", mode)
    perfect = score("eval_coco", shards, lambda row, entry: entry["references"][0])
    assert perfect.values["", "accuracy"] == 100
    tiny = score("eval_coco", shards, flags=("--limit", "1", "--max-new-tokens", "3"))
    entries = [
        (row["id"], entry["turn"], entry["position"])
        for row in tiny.rows.values()
        for entry in row["evaluation"]
    ]
    asked = [each.key for each in tiny.predictions]
    assert asked == [key for key in entries if key in asked]
    assert len({key[1] for key in asked}) > 1 or mode == "one_turn_all"
    several = [each for each in tiny.predictions if (each.id, 0, 1) in entries]
    if mode == "one_turn_all":
        assert {each.answer for each in several} == {""}
        assert "with another number of parts, counted as wrong in all" in tiny.notes[0]


def test_lvis(samples, build, score, tmp_path):
    file = samples / "lvis" / "lvis_val_100.json"
    (tmp_path / "coco").mkdir()
    (tmp_path / "coco" / "val2017").symlink_to(samples / "lvis" / "images" / "val2017")
    shards = build("eval_lvis", tmp_path, "--path", f"lvis.val={file}", "--allow-missing")
    content = json.loads(file.read_bytes())
    names = {each["id"]: each["name"].replace("_", " ") for each in content["categories"]}
    owner = {str(each["id"]): names[each["category_id"]] for each in content["annotations"]}

    def answer(row, entry):
        return owner[entry["item_id"]] if int(entry["item_id"]) % 2 else "thing"

    scored = score("eval_lvis", shards, answer)
    asked = [row["evaluation"][0]["item_id"] for row in scored.rows.values()]
    share = 100 * sum(int(number) % 2 for number in asked) / len(asked)
    assert 0 < share < 100
    assert scored.values["", "accuracy"] == pytest.approx(share)
    assert scored.values["", "S-IoU"] == pytest.approx(share)
    assert ("", "SS") not in scored.values  # no encoder, no look-alike
    tiny = score("eval_lvis", shards, flags=("--limit", "1", "--max-new-tokens", "3"))
    assert tiny.values["", "accuracy"] == 0


def test_dlc_and_gar(samples, build, score):
    root = samples / "benchmarks"
    few = ("--limit", "1", "--max-new-tokens", "3")
    captions = score("eval_dlc", build("eval_dlc", root), flags=few)
    assert all(each.answer for each in captions.predictions)
    assert captions.figures == ()
    file = root / "gar_bench" / "gar_8b_vqa_answers.json"
    published = {each["image"][7:-4]: each for each in json.loads(file.read_bytes())}
    shards = build("eval_gar", root)

    def answer(row, entry):
        name = entry["item_id"]
        return published[name]["model_output"] if name in published else "a cup on a table"

    scored = score("eval_gar", shards, answer)
    known = [published[n] for n in (r["evaluation"][0]["item_id"] for r in scored.rows.values())
             if n in published]  # fmt: skip
    right = sum(each["model_output"] == each["answer"] for each in known)
    assert scored.values["", "accuracy"] == pytest.approx(100 * right / len(known))
    assert score("eval_gar", shards, kind="gpt4roi", flags=few).predictions


@pytest.fixture(scope="module")
def refcocog(samples, tmp_path_factory):
    """The flat file of RefCOCOg val, its sentences, and a data root with pictures."""
    root = tmp_path_factory.mktemp("refcocog")
    file = samples / "refcoco" / "minigpt4_eval" / "refcocog_val.json"
    sentences = json.loads(file.read_bytes())
    for each in sentences:
        name = each["img_id"].rpartition("_")[0] + ".jpg"
        stand_in(root / "coco" / "train2014" / name, (each["width"], each["height"]), root)
    return SimpleNamespace(root=root, file=file, sentences=sentences)


def recipe_of(folder: Path, name: str, task: str) -> Path:
    path = folder / f"{name}.yaml"
    source = f"{{name: refcocog, splits: [val], tasks: [{task}]}}"
    path.write_text(f"name: {name}\nevaluation: true\nsources: [{source}]\n", "utf-8")
    return path


def test_captions_of_refcocog(refcocog, build, score, tmp_path):
    recipe = recipe_of(tmp_path, "eval_captions", "region_caption")
    flags = ("--path", f"refcocog.val={refcocog.file}", "--limit", 6)
    shards = build(recipe, refcocog.root, *flags)
    perfect = score("eval_captions", shards, lambda row, entry: entry["references"][0])
    images = {int(name.split("/")[2]) for name in perfect.rows}
    known = [
        each["sents"] for each in refcocog.sentences if int(each["img_id"].split("_")[2]) in images
    ]
    (figure,) = (each for each in perfect.figures if each.name == "CIDEr")
    assert (figure.group, figure.count) == ("refcocog/val", len(known))
    assert figure.value > 300  # right word for word, or by another sentence about the region
    tiny = score("eval_captions", shards, flags=("--limit", "1", "--max-new-tokens", "4"))
    assert tiny.values["refcocog/val", "CIDEr"] < 1


def overlap(box, other):
    width = max(0, min(box[2], other[2]) - max(box[0], other[0]))
    height = max(0, min(box[3], other[3]) - max(box[1], other[1]))
    sizes = [(x1 - x0) * (y1 - y0) for x0, y0, x1, y1 in (box, other)]
    return width * height / (sum(sizes) - width * height)


def test_rec_on_refcocog(refcocog, build, score, tmp_path):
    boxes = {}
    for each in refcocog.sentences:
        x, y, width, height = each["bbox"]
        number = int(each["img_id"].split("_")[2])
        boxes[number, each["img_id"].rpartition("_")[2]] = (x, y, x + width, y + height)
    detections = [
        {"image_id": image, "category_id": 1, "score": 0.9, "bbox": [x, y, wide, y1 - y]}
        for (image, name), (x, y, x1, y1) in boxes.items()
        for wide in {(x1 - x) * share for share in (0.9, 0.4)[int(name) % 2 :]}
    ]
    (tmp_path / "boxes.json").write_text(json.dumps(detections), "utf-8")
    (tmp_path / "names.txt").write_text("thing\n", "utf-8")
    flags = ["--path", f"refcocog.val={refcocog.file}", "--limit", 6]
    flags += ["--detections", f"refcocog={tmp_path / 'boxes.json'}"]
    flags += ["--detection-names", tmp_path / "names.txt"]
    recipe = recipe_of(tmp_path, "eval_rec", "referring_expression_comprehension")
    shards = build(recipe, refcocog.root, *flags)
    scored = score("eval_rec", shards, lambda row, entry: "It is Region [2].")
    texts: dict[tuple[int, str], list[tuple[float, ...]]] = {}
    for each in refcocog.sentences:
        key = int(each["img_id"].split("_")[2]), "".join(each["sents"].split()).casefold()
        name = each["img_id"].rpartition("_")[2]
        texts.setdefault(key, []).append(boxes[key[0], name])
    right = 0
    for row in scored.rows.values():
        image = int(row["id"].split("/")[2])
        (text,) = [
            key
            for key in texts
            if key[0] == image
            and f'"{key[1]}"' in "".join(row["messages"][0]["content"].split()).casefold()
        ]
        chosen = row["regions"][1]["bbox"] if len(row["regions"]) > 1 else (0, 0, 0, 0)
        right += any(overlap(chosen, box) >= 0.5 for box in texts[text])
    count = len(scored.rows)
    assert 0 < right < count
    assert scored.values["", "accuracy"] == pytest.approx(100 * right / count)
    tiny = score("eval_rec", shards, flags=("--limit", "1", "--max-new-tokens", "4"))
    assert tiny.values["", "accuracy"] == 0
