"""The trained part alone: saved and loaded to the same bits, the towers by name."""

import json
import logging
import resource
import shutil

import pytest
import torch
from safetensors.torch import load_file

from model.checkpoint import load_towers, load_trained, save_trained
from model.presets import tiny_regiongpt
from model.region_model import RegionGPTForConditionalGeneration
from schemas.errors import InputFileError, OtherSchemaError, RegionForgeError, UsageError
from tests.model.checkpoint.published import language_fields, write_shards


@pytest.fixture
def towers(tmp_path, clip_folder, vicuna_folder):
    """Folders of both towers, to be changed."""
    copies = (tmp_path / "clip", tmp_path / "vicuna")
    for source, copied in zip((clip_folder, vicuna_folder), copies, strict=True):
        shutil.copytree(source, copied)
    return copies


@pytest.fixture
def model(towers):
    vision, language = towers
    return load_towers(tiny_regiongpt(), vision=vision, language=language)


def train(model, *prefixes: str) -> None:
    """Change the tensors whose names begin so."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.startswith(prefixes):
                parameter += 0.5


def assert_same(model, other) -> None:
    state = other.state_dict()
    assert model.state_dict().keys() == state.keys()
    for key, value in model.state_dict().items():
        assert value.dtype == state[key].dtype, key
        assert torch.equal(value, state[key]), key
    assert without_types(model.config.to_dict()) == without_types(other.config.to_dict())


def without_types(fields: dict) -> dict:
    """A configuration's fields without `dtype`, which is the parameters' own."""
    return {
        key: without_types(value) if isinstance(value, dict) else value
        for key, value in fields.items()
        if key != "dtype"
    }


STAGES = {
    "first": ("connector.",),
    "second": ("connector.", "language_model."),
    "head alone": ("language_model.lm_head",),
    "everything": ("",),
    "nothing": ("none",),
}


@pytest.mark.parametrize(
    ("stage", "dtype"),
    [
        *((stage, torch.float32) for stage in STAGES),
        ("first", torch.bfloat16),
        ("second", torch.bfloat16),
    ],
)
def test_saved_and_loaded(tmp_path, model, stage, dtype):
    model.to(dtype)
    train(model, *STAGES[stage])
    model.generation_config.eos_token_id = [2, 7]
    save_trained(model, tmp_path / "trained")
    stored = load_file(tmp_path / "trained" / "trained.safetensors")
    names = {name for name, _ in model.named_parameters()}
    expected = {name for name in names if name.startswith((*STAGES[stage], "connector."))}
    assert stored.keys() == {name.replace("model.vision_model.", "model.") for name in expected}
    again = load_trained(tmp_path / "trained")
    assert_same(again, model)
    assert again.generation_config.eos_token_id == [2, 7]
    record = json.loads((tmp_path / "trained" / "trained.json").read_text("utf-8"))
    left_out = sum(len(tower["tensors"]) for tower in record["towers"].values())
    assert left_out + len(stored) == len(names)


def test_gpt4roi_with_image_start_and_end(tmp_path, towers, shallow_gpt4roi):
    vision, language = towers
    config = shallow_gpt4roi(image_boundaries=True)
    model = load_towers(config, vision=vision, language=language)
    train(model, "connector.")
    save_trained(model, tmp_path / "trained")
    stored = load_file(tmp_path / "trained" / "trained.safetensors")
    assert {key.split(".")[0] for key in stored} == {"connector"}
    assert "connector.image_start" in stored
    assert_same(load_trained(tmp_path / "trained"), model)


def test_what_was_trained_before_is_saved_though_it_is_frozen_now(tmp_path, model):
    train(model, "language_model.model.layers.0.")
    model.requires_grad_(False)
    save_trained(model, tmp_path / "trained")
    assert_same(load_trained(tmp_path / "trained"), model)


def test_saved_again_after_it_was_loaded(tmp_path, model):
    train(model, "connector.", "language_model.")
    save_trained(model, tmp_path / "one")
    second = load_trained(tmp_path / "one")
    train(second, "connector.")
    save_trained(second, tmp_path / "two")
    assert_same(load_trained(tmp_path / "two"), second)


def test_a_model_saved_whole_keeps_the_names_of_its_towers(tmp_path, model, towers):
    model.save_pretrained(tmp_path / "whole")
    again = RegionGPTForConditionalGeneration.from_pretrained(tmp_path / "whole")
    save_trained(again, tmp_path / "trained")
    record = json.loads((tmp_path / "trained" / "trained.json").read_text("utf-8"))
    names = {title: tower["name"] for title, tower in record["towers"].items()}
    assert names == {"vision_tower": str(towers[0]), "language_model": str(towers[1])}


def test_towers_that_moved(tmp_path, model, towers):
    train(model, "connector.")
    save_trained(model, tmp_path / "trained")
    moved = [folder.rename(tmp_path / f"moved-{folder.name}") for folder in towers]
    with pytest.raises(UsageError, match=f"{towers[0]}: no such folder"):
        load_trained(tmp_path / "trained")
    again = load_trained(tmp_path / "trained", vision=moved[0], language=moved[1])
    assert again.config.language_source == str(moved[1])
    again.config.vision_source, again.config.language_source = map(str, towers)
    assert_same(again, model)


def test_the_form_of_a_towers_files_does_not_matter(tmp_path, model, towers):
    train(model, "connector.")
    save_trained(model, tmp_path / "trained")
    state = {key: value.clone() for key, value in model.language_model.state_dict().items()}
    shutil.rmtree(towers[1])
    towers[1].mkdir()
    (towers[1] / "config.json").write_text(json.dumps(language_fields()), "utf-8")
    write_shards(towers[1], state, bin=False, count=5)
    assert_same(load_trained(tmp_path / "trained"), model)


def test_a_tower_that_is_gone_is_saved_whole(tmp_path, model, towers, caplog):
    shutil.rmtree(towers[1])
    with caplog.at_level(logging.WARNING):
        save_trained(model, tmp_path / "trained")
    assert f"the language_model is saved whole: {towers[1]}: no such folder" in caplog.text
    assert_same(load_trained(tmp_path / "trained"), model)


def test_a_model_without_names_is_saved_whole(tmp_path):
    model = RegionGPTForConditionalGeneration(tiny_regiongpt())
    save_trained(model, tmp_path / "trained")
    again = load_trained(tmp_path / "trained")
    assert_same(again, model)


def test_tied_words(tmp_path, clip_folder, language_folder):
    folder = language_folder(model_type="qwen3", head_dim=16, tie_word_embeddings=True)
    config = tiny_regiongpt(text_config=language_fields(model_type="qwen3", head_dim=16))
    model = load_towers(config, vision=clip_folder, language=folder)
    train(model, "language_model.model.embed_tokens")
    save_trained(model, tmp_path / "trained")
    again = load_trained(tmp_path / "trained")
    assert_same(again, model)
    head = again.get_output_embeddings().weight
    assert head.data_ptr() == again.get_input_embeddings().weight.data_ptr()


def test_another_tower_of_the_same_shape(tmp_path, model, towers, language_folder):
    train(model, "connector.")
    save_trained(model, tmp_path / "trained")
    other = language_folder()
    expected = (
        f"{other}: not the language_model that {tmp_path}/trained was trained with, which was "
        f"{towers[1]}: its weights differ"
    )
    with pytest.raises(InputFileError) as caught:
        load_trained(tmp_path / "trained", language=other)
    assert str(caught.value) == expected


def test_bad_folders(tmp_path, model):
    save_trained(model, tmp_path / "trained")

    def broken(name, change):
        folder = tmp_path / "broken"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(tmp_path / "trained", folder)
        path = folder / name
        change(path)
        return folder

    def replaced(old, new):
        return lambda path: path.write_text(path.read_text("utf-8").replace(old, new), "utf-8")

    for name in ("config.json", "trained.json"):
        with pytest.raises(
            OtherSchemaError, match=rf"{name}: format 9, and this version"
        ) as caught:
            load_trained(broken(name, replaced('"format": 1', '"format": 9')))
        assert "\n" not in str(caught.value)
    with pytest.raises(InputFileError, match=r"broken/config\.json: no such file"):
        load_trained(broken("config.json", lambda path: path.unlink()))
    with pytest.raises(InputFileError, match=r"config\.json: not readable as JSON"):
        load_trained(broken("config.json", lambda path: path.write_text("{", "utf-8")))
    with pytest.raises(InputFileError, match=r"config\.json: model_type is 'llava', expected one"):
        load_trained(broken("config.json", replaced('"regiongpt"', '"llava"')))
    with pytest.raises(InputFileError, match=r"trained\.safetensors: cut off, or not safetensors"):
        load_trained(
            broken("trained.safetensors", lambda path: path.write_bytes(path.read_bytes()[:-1]))
        )
    with pytest.raises(InputFileError, match=r"trained\.safetensors: cut off, or not safetensors"):
        load_trained(broken("trained.safetensors", lambda path: path.unlink()))
    other = replaced('"language_model.model.norm.weight"', '"language_model.model.none"')
    with pytest.raises(InputFileError, match=r"it has no language_model\.model\.none"):
        load_trained(broken("trained.json", other))


def test_a_full_disk_leaves_nothing(tmp_path, model):
    target = tmp_path / "new" / "trained"
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, limits[1]))  # config.json fits
    try:
        with pytest.raises(RegionForgeError, match="trained: not written: "):
            save_trained(model, target)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list(target.parent.iterdir()) == []
    save_trained(model, target)
    assert [path.name for path in target.parent.iterdir()] == ["trained"]


def test_a_folder_that_exists_is_left_alone(tmp_path, model):
    (tmp_path / "trained").mkdir()
    (tmp_path / "trained" / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(UsageError, match="trained: exists already"):
        save_trained(model, tmp_path / "trained")
    assert [path.name for path in (tmp_path / "trained").iterdir()] == ["notes.txt"]
