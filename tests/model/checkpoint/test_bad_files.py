"""Weight files that cannot be used: the error names the file and the key, and nothing is loaded."""

import json
import os
import pickle

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForImageTextToText

from model.checkpoint import load_towers
from model.checkpoint.files import local_folder, read_json
from model.presets import tiny_regiongpt
from model.region_model import RegionGPTForConditionalGeneration
from schemas.errors import InputFileError
from tests.model.checkpoint.published import (
    language_fields,
    language_state,
    write_config,
    write_shards,
    write_weights,
)


class Runs:
    """What a malicious pickle holds: opening it makes a folder."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.fixture
def language(tmp_path, clip_folder):
    """Loads a language model whose files were spoilt by a function."""

    def load(spoil):
        folder = tmp_path / "language"
        write_config(folder, **language_fields())
        spoil(folder)
        return load_towers(tiny_regiongpt(), vision=clip_folder, language=folder)

    return load


@pytest.mark.parametrize("content", ["{", "[]", '{"a":' * 99_999, '{"a": "\xff"}'])
def test_a_file_that_is_no_json_object_is_named(tmp_path, content):
    path = tmp_path / "config.json"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(InputFileError, match=r"config\.json: "):
        read_json(path)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "pytorch_model-00001-of-00002.bin"])
@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_with_code_is_not_opened(tmp_path, language, name, zipped):
    def spoil(folder):
        if "-of-" in name:
            write_shards(folder, language_state(), bin=True)
        content = {"model.norm.weight": Runs(tmp_path / "ran")}
        torch.save(content, folder / name, _use_new_zipfile_serialization=zipped)

    with pytest.raises(InputFileError, match=rf"{name}: a pickle of more than tensors") as caught:
        language(spoil)
    assert isinstance(caught.value.__cause__, pickle.UnpicklingError)
    assert not (tmp_path / "ran").exists()


def test_safetensors_come_before_pickles(tmp_path, language):
    def spoil(folder):
        write_weights(folder / "model.safetensors", language_state())
        torch.save({"model.norm.weight": Runs(tmp_path / "ran")}, folder / "pytorch_model.bin")

    language(spoil)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("content", [[1], {"state_dict": {}}, {"model.norm.weight": 1}, {3: 1}])
def test_a_pickle_of_something_else(language, content):
    with pytest.raises(InputFileError, match=r"pytorch_model\.bin: .*expected (a )?tensor"):
        language(lambda folder: torch.save(content, folder / "pytorch_model.bin"))


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
@pytest.mark.parametrize("kept", [0, 7, 100, 3000, -1])
def test_files_that_are_cut_off(language, name, kept):
    def spoil(folder):
        write_weights(folder / name, language_state())
        (folder / name).write_bytes((folder / name).read_bytes()[:kept])

    with pytest.raises(InputFileError, match=rf"language/{name}: cut off, or not"):
        language(spoil)


def test_keys_that_are_missing_or_surplus(language):
    state = language_state()
    more = {f"extra.{number}": torch.ones(1) for number in range(6)}

    def spoil(folder):
        del state["model.layers.1.mlp.up_proj.weight"]
        write_shards(folder, {**state, **more}, bin=False)

    with pytest.raises(InputFileError) as caught:
        language(spoil)
    shards = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"
    listed = ", ".join(f"language_model.extra.{n} ({shards[n % 2]})" for n in range(4))
    assert str(caught.value).endswith(
        "language: the weights do not fit: 1 missing: "
        f"language_model.model.layers.1.mlp.up_proj.weight; 6 surplus: {listed} and 2 more"
    )


def test_a_head_that_is_missing(language):
    state = language_state()
    del state["lm_head.weight"]
    with pytest.raises(InputFileError, match=r"1 missing: language_model\.lm_head\.weight$"):
        language(lambda folder: write_weights(folder / "model.safetensors", state))


def test_another_shape(language):
    state = language_state()
    state["model.norm.weight"] = torch.ones(65)
    expected = (
        r"1 of another shape: language_model\.model\.norm\.weight \(model\.safetensors\) is "
        r"\[65\], expected \[64\]$"
    )
    with pytest.raises(InputFileError, match=expected):
        language(lambda folder: write_weights(folder / "model.safetensors", state))


def test_indices_that_lead_nowhere(language):
    def index(weight_map):
        def spoil(folder):
            path = folder / "model.safetensors.index.json"
            path.write_text(json.dumps({"weight_map": weight_map}), encoding="utf-8")

        return spoil

    with pytest.raises(InputFileError, match=r"model-1\.safetensors: no such file, and model\."):
        language(index({"a": "model-1.safetensors"}))
    with pytest.raises(InputFileError, match="/etc/passwd is not a file of the same folder"):
        language(index({"a": "/etc/passwd"}))
    with pytest.raises(InputFileError, match=r"index\.json: no weight_map"):
        language(index({}))


def test_the_same_key_in_two_files(language):
    def spoil(folder):
        state = language_state()
        write_shards(folder, state, bin=False)
        write_weights(folder / "model-00002-of-00002.safetensors", state)

    with pytest.raises(InputFileError, match=r"00002-of-00002\.safetensors: key .* is in .*00001"):
        language(spoil)


def test_folders_without_config_or_weights(tmp_path, language, clip_folder):
    with pytest.raises(InputFileError, match=r"language: no weights, expected one of model\.safe"):
        language(lambda folder: None)
    with pytest.raises(InputFileError, match=r"language/config\.json: no such file"):
        language(lambda folder: (folder / "config.json").unlink())
    with pytest.raises(InputFileError, match=r"config\.json: not readable as JSON"):
        language(lambda folder: (folder / "config.json").write_text("{", "utf-8"))
    with pytest.raises(InputFileError, match=r"config\.json: no configuration of transformers"):
        language(lambda folder: write_config(folder, model_type="none-such"))
    fields = language_fields(quantization_config={"quant_method": "gptq", "bits": 4})
    with pytest.raises(InputFileError, match=r"config\.json: the weights are quantized"):
        language(lambda folder: write_config(folder, **fields))
    assert local_folder(tmp_path) == tmp_path


@pytest.fixture
def saved(tmp_path):
    """A model of ours, saved as transformers does."""
    model = RegionGPTForConditionalGeneration(tiny_regiongpt())
    model.save_pretrained(tmp_path / "saved")
    return tmp_path / "saved"


@pytest.mark.parametrize("kind", [RegionGPTForConditionalGeneration, AutoModelForImageTextToText])
def test_from_pretrained_is_as_strict(saved, kind):
    load = kind.from_pretrained
    state = load_file(saved / "model.safetensors")
    assert set(load(saved).state_dict()) == set(state)
    lacking = {key: state[key] for key in state if key != "connector.projector.0.bias"}
    write_weights(saved / "model.safetensors", {**lacking, "odd": torch.ones(1)})
    with pytest.raises(InputFileError) as caught:
        load(saved)
    assert str(caught.value) == (
        f"{saved}: the weights do not fit: 1 missing: connector.projector.0.bias; 1 surplus: odd"
    )
    write_weights(
        saved / "model.safetensors", {**state, "connector.projector.0.bias": torch.ones(2)}
    )
    shapes = r"1 of another shape: connector.projector.0.bias is \[2\], expected \[64\]"
    with pytest.raises(InputFileError, match=f"^{saved}: the weights do not fit: {shapes}"):
        load(saved)
    text = (saved / "config.json").read_text(encoding="utf-8")
    (saved / "config.json").write_text(text.replace('"format": 1', '"format": 2'), "utf-8")
    with pytest.raises(ValueError, match="has format 2, and this version of RegionForge reads 1"):
        load(saved)
