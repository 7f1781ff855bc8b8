"""What a run starts from: towers, a run, a checkpoint of a run, or a model's folder."""

import shutil
from dataclasses import replace

import pytest
import torch

from schemas.errors import InputFileError, UsageError
from train.cli import run
from train.recipes import recipe_named
from train.start import Start, open_model, open_trained, preset_for, read_config, read_tokenizer

RECIPE = recipe_named("regiongpt_finetune")


@pytest.fixture(scope="module", params=["whole", "adapters"])
def earlier(request, proof_shards, towers, tmp_path_factory):
    """The folder of a run, with adapters or without."""
    folder = tmp_path_factory.mktemp(request.param) / "run"
    words = ["train", "--recipe", "regiongpt_finetune", "--no-recapd", "--shards"]
    words += [str(proof_shards), *towers["regiongpt"], "--device", "cpu", "--workers", "0"]
    words += ["--batch", "4", "--limit", "16", "--max-steps", "2", "--output", str(folder)]
    assert run([*words, *(["--lora", "2"] if request.param == "adapters" else [])]) == 0
    return folder


def test_a_run_its_last_checkpoint_and_its_model_are_one(earlier):
    places = (earlier, earlier / "checkpoints" / "step-00000002", earlier / "final")
    models = [open_model(Start(checkpoint=str(place)), RECIPE) for place in places]
    first = models[0].state_dict()
    for place, model in zip(places, models, strict=True):
        state = model.state_dict()
        assert state.keys() == first.keys()
        for name, tensor in state.items():
            assert torch.equal(tensor, first[name]), (place, name)
        start = Start(checkpoint=str(place))
        assert read_config(start).model_type == "regiongpt"
        assert len(read_tokenizer(start)) == 512


def test_each_of_them_is_opened_for_evaluation(earlier):
    whole = open_model(Start(checkpoint=str(earlier)), RECIPE).state_dict()
    for folder in (earlier, earlier / "checkpoints" / "step-00000002"):
        model = open_trained(Start(checkpoint=str(folder)), torch.bfloat16)
        assert not model.training
        for name, tensor in model.state_dict().items():
            assert torch.equal(tensor, whole[name].to(tensor.dtype)), name
        assert model.dtype == torch.bfloat16


def test_a_run_that_has_not_ended_is_named(earlier, tmp_path):
    folder = shutil.copytree(earlier, tmp_path / "run")
    shutil.rmtree(folder / "final")
    with pytest.raises(InputFileError, match="the run has not ended yet: name one of its"):
        read_config(Start(checkpoint=str(folder)))
    (folder / "run.json").write_text("{}", encoding="utf-8")
    checkpoint = folder / "checkpoints" / "step-00000002"
    with pytest.raises(InputFileError, match=r"run\.json: not the record of a run"):
        read_config(Start(checkpoint=str(checkpoint)))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"vision": "a"}, "--language is missing"),
        ({"language": "a"}, "--vision is missing"),
        ({"checkpoint": "a", "init": "b"}, "leave out --vision, --language, --init"),
        ({"checkpoint": "a", "quantized": True}, "--qlora needs --lora RANK"),
    ],
)
def test_parts_that_do_not_fit_each_other(given, message):
    with pytest.raises(UsageError, match=message):
        Start(**given)


def test_every_recipe_has_a_model():
    assert preset_for(recipe_named("gpt4roi_stage2")) == "gpt4roi_7b"
    assert preset_for(RECIPE) == "regiongpt_7b"
    assert preset_for(replace(RECIPE, name="tiny_x")) == "proof_regiongpt"
