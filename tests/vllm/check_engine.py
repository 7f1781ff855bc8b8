"""`serve --engine vllm` with a real vLLM: the answers of the other engine, of tiny models.

Run by `make test-vllm`, as `check_serve`. Sums are rounded differently in vLLM; the models' random
weights are such that the likeliest token is likely by far.
"""

import os
from pathlib import Path

import pytest

from model.presets import tiny_gpt4roi, tiny_regiongpt
from model.serve.server import Limits
from regionforge.vllm_engine.engine import VllmEngine
from regionforge.vllm_engine.starting import vllm_engine
from tests.lively import write_lively_model
from tests.model.serve.requests import served
from tests.regionforge.vllm_engine.asking import SIXTEEN, all_of, flags, opened_from

VLLM = Path(os.environ["REGIONFORGE_VLLM"])
HEADS = {"num_attention_heads": 2, "num_key_value_heads": 2}  # of width 32, as its kernels take
KINDS = {"regiongpt": tiny_regiongpt, "gpt4roi": tiny_gpt4roi}

pytestmark = pytest.mark.timeout(1200)


@pytest.mark.parametrize("kind", KINDS)
def test_answers_are_those_of_the_other_engine(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VLLM_CPU_KVCACHE_SPACE", "1")  # GB
    monkeypatch.setenv("VLLM_NO_USAGE_STATS", "1")
    config = KINDS[kind]()
    for name, value in HEADS.items():
        setattr(config.text_config, name, value)
    config.text_config.head_dim = config.text_config.hidden_size // HEADS["num_attention_heads"]
    write_lively_model(tmp_path / kind, config)
    opened = opened_from(tmp_path / kind)

    async def talk(address: str, _: object) -> object:
        return await all_of(address, SIXTEEN)

    start = vllm_engine(flags(VLLM / "bin/vllm", more="--enforce-eager"))
    with start(opened, Limits()) as engine:
        assert isinstance(engine, VllmEngine)
        theirs = served(opened, talk, lambda: engine)
    assert theirs == served(opened_from(tmp_path / kind), talk)
