"""Tiny models that are ready to be asked: they answer nonsense, but the same each time."""

import time

import pytest
import torch
from transformers import AutoModel

from model.processor import RegionProcessor
from model.region_model import RegionModel
from model.serve import answering
from model.serve.opened import OpenedModel
from tests.lively import KINDS, write_both_lively_models

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def opened_models(made_once) -> dict[str, OpenedModel]:
    """Both models, by their kind."""
    opened = {}
    root = made_once("lively_models", write_both_lively_models)
    for kind in KINDS:
        folder = root / kind
        model: RegionModel = AutoModel.from_pretrained(folder).eval()
        model.set_attn_implementation({"text_config": "sdpa"})
        processor = RegionProcessor.from_pretrained(folder)
        opened[kind] = OpenedModel(model=model, processor=processor)
    return opened


@pytest.fixture(scope="session", params=["regiongpt", "gpt4roi"])
def opened(request, opened_models) -> OpenedModel:
    """Each model."""
    return opened_models[request.param]


@pytest.fixture(scope="session")
def regiongpt(opened_models) -> OpenedModel:
    """RegionGPT."""
    return opened_models["regiongpt"]


@pytest.fixture
def slow(monkeypatch):
    """Makes each token take a while; returns the answers that were begun."""
    begun = []
    add = answering.PendingAnswer.add

    def slowly(self, *arguments):
        if self not in begun:
            begun.append(self)
        time.sleep(0.02)
        add(self, *arguments)

    monkeypatch.setattr(answering.PendingAnswer, "add", slowly)
    return begun
