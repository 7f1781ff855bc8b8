"""Tasks of lmms-eval on a tiny model, with local records; skipped where lmms-eval is absent."""

import json
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from schemas.errors import UsageError
from train.evaluation.generate import generate

lmms_eval = pytest.importorskip("lmms_eval", reason="lmms-eval (the extra lmms) is not installed")

pytestmark = pytest.mark.filterwarnings("default")  # other people's code warns of this and that


@pytest.fixture(scope="module")
def model_class():
    from lmms_eval.models import MODEL_REGISTRY_V2, get_model

    from train.evaluation.lmms import manifest

    if (
        "regionforge" not in MODEL_REGISTRY_V2.list_model_names()
    ):  # installed before the entry point
        MODEL_REGISTRY_V2.register_manifest(manifest())
    return get_model("regionforge")


def write_task(folder: Path, name: str, template: str, records: list[dict]) -> None:
    """A task that differs from lmms-eval's own by its records alone, which lie here."""
    import datasets
    from yaml import safe_dump

    features = {key: datasets.Value("string") for key in records[0]}
    features["image"] = datasets.Image()
    if "bbox" in features:
        features |= {"bbox": datasets.List(datasets.Value("float32"))}
        features |= {"answer": datasets.List(datasets.Value("string"))}
    table = datasets.Dataset.from_list(records, features=datasets.Features(features))
    table.to_parquet(folder / f"{name}.parquet")
    source = Path(lmms_eval.__file__).parent / "tasks" / template
    settings = {
        "include": str(source),
        "task": name,
        "dataset_path": "parquet",
        "dataset_kwargs": {"data_files": {"test": str(folder / f"{name}.parquet")}},
        "test_split": "test",
    }
    (folder / f"{name}.yaml").write_text(safe_dump(settings), encoding="utf-8")


def picture(colour: str) -> dict[str, object]:
    out = BytesIO()
    Image.new("RGB", (64, 48), colour).save(out, "PNG")
    return {"bytes": out.getvalue(), "path": "a.png"}


@pytest.fixture
def tasks(tmp_path) -> Path:
    questions = [
        {"question_id": str(n), "question": f"Is there a {word} in the image?", "answer": answer,
         "image": picture(word)}
        for n, (word, answer) in enumerate([("red", "yes"), ("blue", "no"), ("green", "yes")])
    ]  # fmt: skip
    write_task(tmp_path, "pope_here", "pope/pope.yaml", questions)
    captions = [
        {"question_id": str(n), "answer": [f"the {word} thing"], "bbox": [4.0, 6.0, 20.0, 30.0],
         "image": picture(word)}
        for n, word in enumerate(["red", "blue"])
    ]  # fmt: skip
    write_task(tmp_path, "captions_here", "refcocog/_default_template_bbox_yaml", captions)
    return tmp_path


def evaluated(tasks: Path, name: str, model: Path, **options) -> dict:
    from lmms_eval.evaluator import simple_evaluate
    from lmms_eval.tasks import TaskManager

    return simple_evaluate(
        model="regionforge",
        model_args=f"pretrained={model},device=cpu,max_new_tokens=8",
        tasks=[name],
        task_manager=TaskManager(include_path=str(tasks)),
        log_samples=True,
        bootstrap_iters=0,
        **options,
    )


def test_pope_runs_and_is_scored(tasks, tiny_models, model_class) -> None:
    results = evaluated(tasks, "pope_here", tiny_models["regiongpt"], batch_size=2)
    samples = results["samples"]["pope_here"]
    assert len(samples) == 3
    answers = [sample["filtered_resps"][0] for sample in samples]
    right = sum(
        answer.lower().strip() == sample["target"]
        for answer, sample in zip(answers, samples, strict=True)
    )
    scores = results["results"]["pope_here"]
    assert scores["pope_accuracy,none"] == pytest.approx(right / 3)
    alone = evaluated(tasks, "pope_here", tiny_models["regiongpt"], batch_size=1)
    assert [s["filtered_resps"] for s in alone["samples"]["pope_here"]] == [[a] for a in answers]
    json.dumps(scores)


@pytest.mark.parametrize("regions", ["given", "drawn"])
def test_captions_of_regions_run(regions, tasks, tiny_models, model_class, monkeypatch) -> None:
    from lmms_eval.tasks import TaskManager, get_task_dict

    tasks_there = get_task_dict(["captions_here"], TaskManager(include_path=str(tasks)), "simple")
    task = tasks_there["captions_here"]
    task.build_all_requests(limit=None, rank=0, world_size=1)
    inputs = []

    def noted(*args):
        inputs.append(args[2])
        return generate(*args)

    monkeypatch.setattr("train.evaluation.lmms.model.generate", noted)
    model = model_class(
        str(tiny_models["gpt4roi"]), device="cpu", batch_size=2, max_new_tokens=8, regions=regions
    )
    model.task_dict["captions_here"] = task.dataset
    assert len(model.generate_until(task.instances)) == 2
    (batch,) = inputs
    assert batch["pixel_values"].shape[0] == 2
    assert ("region_boxes" in batch) == (regions == "given")
    if regions == "given":  # 64 x 48 pixels
        sides = batch["region_boxes"][0, 2:] - batch["region_boxes"][0, :2]
        assert (sides[0] / sides[1]).item() == pytest.approx(20 / 30, rel=0.35)


def test_what_cannot_be_done_is_refused(tiny_models, model_class) -> None:
    folder = str(tiny_models["regiongpt"])
    with pytest.raises(UsageError, match="regions=both: expected given or drawn"):
        model_class(folder, regions="both")
    with pytest.raises(UsageError, match="batch_size=auto: expected a number"):
        model_class(folder, batch_size="auto")
    with pytest.raises(UsageError, match="dtype=int8: expected bfloat16"):
        model_class(folder, dtype="int8", device="cpu")
    model = model_class(folder, device="cpu")
    with pytest.raises(UsageError, match="likelihoods"):
        model.loglikelihood([])
    with pytest.raises(UsageError, match="rounds"):
        model.generate_until_multi_round([])
