"""What the README and the pages beside it show is run as it stands."""

import argparse
import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from transformers import AutoModel, AutoModelForCausalLM

import regionforge
from model.presets import tiny_gpt4roi, tiny_regiongpt
from model.tiny import byte_tokenizer
from pipelines.cli.parser import make_parser
from pipelines.datasets.spec import SourceRequest
from pipelines.plan import make_plan
from pipelines.recipes.recipe import Recipe
from pipelines.runner.launch import LaunchOptions, launch
from regionforge import completion
from regionforge.__main__ import COMMANDS
from schemas.ledger import Stage
from tests.pages import ALL, CHECKOUT, PAGES, README
from train.cli import make_parser as make_train_parser

STORE_FLAGS = {
    *("--s3_endpoint_url", "--s3_region_name", "--s3_verify", "--s3_disable_ssl"),
    "--blob_service_endpoint",
}
FLAGS_OF_ENGINES = {"--environment_type", "--environment_config", "--job_endpoint"}
FLAGS_OF_DATAFLOW = {
    *("--project", "--temp_location", "--staging_location", "--template_location"),
    *("--extra_package", "--sdk_container_image", "--setup_file"),
}
FLAGS_OF_BEAM = {"--resource_hint", *FLAGS_OF_ENGINES, *FLAGS_OF_DATAFLOW, *STORE_FLAGS}
FLAGS_OF_LMMS_EVAL = {"--batch_size", "--model_args"}
PARSERS = {  # of commands that are not those of the data tower, by their function
    "train.cli:main": make_train_parser,
    "regionforge.serving:main": make_train_parser,
    "regionforge.completion:main": lambda: make_parser((completion.add_parser,)),
}
FLAGS_OF_VLLM = {
    "--allowed-local-media-path",
    "--allowed-media-domains",
    "--api-key",
    "--api-server-count",
    "--data-parallel-size",
    "--enable-prompt-tokens-details",
    "--gpu-memory-utilization",
    "--limit-mm-per-prompt",
    "--max-model-len",
    "--max-num-batched-tokens",
    "--max-num-seqs",
    "--structured-outputs-config",
}
FLAGS_OF_LMMS_EVAL = {"--batch_size", "--model_args"}
FLAGS_OF_BENCH = {"--world"}
FLAGS_OF_TORCHRUN = {"--nnodes", "--nproc-per-node", "--rdzv-backend", "--rdzv-endpoint"}


def code_blocks(text: str) -> list[str]:
    """What a page shows in Python."""
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


def made_shards(world: Path, folder: Path) -> str:
    """The output of a small build."""
    recipe = Recipe(sources=(SourceRequest(name="coco", label_set="Shapes-15"),))
    output = str(folder / "shards")
    launch(make_plan(recipe, str(world), output), LaunchOptions())
    return output


def test_lines_for_researchers_run(sample_world: Path, tmp_path: Path) -> None:
    output = made_shards(sample_world, tmp_path)
    (code,) = code_blocks(README)
    names: dict[str, Any] = {}
    exec(code.replace("/shards", output), names)
    record, region, pixels = names["record"], names["region"], names["pixels"]
    assert record["task"] == "region_classification"
    assert record["messages"][1]["content"] == region["category"]
    assert pixels.shape == (record["height"], record["width"])
    assert pixels.any()
    assert list(names["mapped"]["id"]) == names["data"]["id"][:]
    assert [row["id"] for row in names["stream"]] == list(names["mapped"]["id"])
    assert str(names["mapped"].cache_files[0]["filename"]).startswith(output)
    batch = next(iter(names["batches"]))
    rows = names["mapped"][:4]
    assert [image.size for image in batch["images"]] == list(
        zip(rows["width"], rows["height"], strict=True)
    )
    for boxes, regions in zip(batch["boxes"], rows["regions"], strict=True):
        assert boxes.tolist() == [region["bbox"] for region in regions]
    assert batch["messages"] == rows["messages"]


def test_ten_lines_make_shards_and_read_them(
    sample_world: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (code,) = code_blocks(PAGES["building"])
    assert len([line for line in code.splitlines() if line]) == 10
    named = code.replace("{name: coco,", "{name: coco, label_set: Shapes-15,")
    exec(named.replace("/data", str(sample_world)).replace("/mine", "mine"), {})
    manifest = json.loads((tmp_path / "mine" / "manifest.json").read_bytes())
    assert manifest["identity"]["recipe"]["name"] == "mine"
    assert manifest["identity"]["recipe"]["seed"] == 7
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("coco/train")]
    rows = [shard["rows"] for shard in manifest["shards"] if shard["split"] == "train"]
    assert len(lines) == sum(rows) > 20


@pytest.mark.parametrize("config", [tiny_regiongpt(), tiny_gpt4roi()])
def test_ten_lines_ask_a_model(
    config: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (320, 400), "teal").save("street.jpg")
    regionforge.write_tiny_model("model", config)
    code, _ = code_blocks(PAGES["models"])
    assert len([line for line in code.splitlines() if line]) == 10
    names: dict[str, Any] = {}
    exec(code.replace("/model", "model"), names)
    assert names["batch"]["region_positions"].shape == (1,)
    answer = byte_tokenizer().decode(names["answers"][0], skip_special_tokens=True)
    assert len(answer) > 10
    assert capsys.readouterr().out == f"{answer}\n"


def test_three_lines_begin_a_talk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (320, 400), "teal").save("street.jpg")
    regionforge.write_tiny_model("runs/a")
    (code,) = code_blocks(PAGES["asking"])
    assert len(code.splitlines()) == 3
    names: dict[str, Any] = {"regionforge": regionforge}
    exec(code, names)
    asked, answered = names["talk"].messages
    assert asked["content"] == "What is region1?"
    assert answered["content"]


def test_a_model_is_made_of_real_towers(
    sample_world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    config = tiny_regiongpt()
    AutoModel.from_config(config.vision_config).save_pretrained("openai/clip-vit-large-patch14-336")
    language = Path("lmsys/vicuna-7b-v1.5")
    AutoModelForCausalLM.from_config(config.text_config).save_pretrained(language)
    byte_tokenizer().save_pretrained(language)
    monkeypatch.setattr(regionforge.presets, "regiongpt_7b", lambda: config)
    _, code = code_blocks(PAGES["models"])
    changes = {
        '"/model"': '"model"',
        '"/shards"': repr(made_shards(sample_world, tmp_path)),
        '"/run"': '"run", max_steps=2, report_to=[], use_cpu=True, disable_tqdm=True',
    }
    for text, other in changes.items():
        assert text in code
        code = code.replace(text, other)
    exec(code, {})
    made = AutoModel.from_pretrained("model").language_model.state_dict()
    theirs = AutoModelForCausalLM.from_pretrained(language).state_dict()
    assert made.keys() == theirs.keys()
    trained = {key for key in made if not torch.equal(made[key], theirs[key])}
    assert len(trained) == 2 * 7  # the linear layers of two blocks, and no others
    assert all("_proj." in key for key in trained)


def test_every_name_of_regionforge_is_there() -> None:
    named = set(re.findall(r"`(?:regionforge\.)?([a-z]+_[a-z_]+)[`(]", PAGES["models"]))
    theirs = {"from_pretrained", "quantization_config"}
    assert len(named - theirs) > 6
    assert named - theirs <= {*regionforge.__all__}


def test_it_starts_with_the_two_commands() -> None:
    commands = [line.split()[:2] for line in README.splitlines() if line.startswith("    make ")]
    assert commands[:2] == [["make", "demo"], ["make", "test"]]
    assert README.index("make demo") < 40


def test_the_tree_is_the_tree() -> None:
    section = README.split("## The code")[1]
    shown = re.findall(r"^    ([a-z0-9_/, ]+?)/ {2,}", section, re.MULTILINE)
    folders = {name.strip(" /") for line in shown for name in line.split(",")}
    packages = {path.parent for path in CHECKOUT.glob("*/__init__.py")}
    floors = ("pipelines", "model", "train")
    rooms = {path.parent for floor in floors for path in CHECKOUT.glob(f"{floor}/*/__init__.py")}
    assert folders == {str(path.relative_to(CHECKOUT)) for path in packages | rooms} | {"tests"}


def test_the_stages_are_those_of_the_ledger() -> None:
    section = README.split("## The code")[1].split("The folders:")[0]
    (picture,) = re.findall(r"^    (.* ─► .*)$", section, re.MULTILINE)
    others = {Stage.FILTER, Stage.SUBSET}  # of `recap` alone, and of `subset` and `merge`
    stages = [str(stage) for stage in Stage if stage not in others]
    assert re.findall(r"\w+", picture) == [*stages, "publish"]
    assert re.findall(r"^    ([a-z]+) {2,}", section, re.MULTILINE) == [*stages, "publish"]


def test_every_flag_it_names_exists() -> None:
    groups = [
        action
        for parser in (make_parser(), make_train_parser())
        for action in parser._actions
        if isinstance(action, argparse._SubParsersAction)
    ]
    ours = {
        flag
        for commands in groups
        for parser in commands.choices.values()
        for action in parser._actions
        for flag in action.option_strings
    }
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z0-9_-]*", ALL))
    others = FLAGS_OF_BEAM | FLAGS_OF_VLLM | FLAGS_OF_LMMS_EVAL | FLAGS_OF_TORCHRUN
    assert named - ours == others | FLAGS_OF_BENCH


def test_every_command_it_shows_parses() -> None:
    shown = re.findall(r"^ +regionforge (.+)", ALL.replace("\\\n", " "), re.MULTILINE)
    assert shown
    for command in shown:
        function, _ = COMMANDS[command.split()[0]]
        parser = PARSERS.get(function, make_parser)()
        _, unknown = parser.parse_known_args(shlex.split(command))
        assert unknown == [] or "--runner" in command  # whose flags are Beam's


def test_it_is_short_and_leads_to_every_page() -> None:
    assert len(README.splitlines()) < 200
    linked = re.findall(r"\]\(docs/(\w+)\.md\)", README)
    assert sorted(linked) == sorted(PAGES)
