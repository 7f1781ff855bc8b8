"""What is asked of both engines, and the model that is asked."""

import argparse
import asyncio
import shlex
from pathlib import Path
from typing import Any

from transformers import AutoModel

from model.processor import RegionProcessor
from model.serve.opened import OpenedModel
from tests.model.serve.requests import URL, post, user

SIXTEEN: list[dict[str, Any]] = [
    {
        "model": "tiny",
        "max_tokens": 4 + number,
        "regions": [[number, 2, 30 + number, 40]],
        "messages": [user(f"What is region1? {number}", url=URL)],
    }
    for number in range(16)
]


def opened_from(folder: Path) -> OpenedModel:
    model = AutoModel.from_pretrained(folder).eval()
    model.set_attn_implementation({"text_config": "sdpa"})
    return OpenedModel(model=model, processor=RegionProcessor.from_pretrained(folder))


def flags(program: Path, record: Path | None = None, more: str = "") -> argparse.Namespace:
    words = "" if record is None else f"--record {shlex.quote(str(record))}"
    return argparse.Namespace(vllm=str(program), vllm_args=f"{words} {more}")


async def all_of(address, bodies):
    replies = await asyncio.gather(*(post(address, body) for body in bodies))
    return [
        (status, body["choices"][0]["message"]["content"], body["choices"][0]["finish_reason"])
        for status, body in replies
    ]
