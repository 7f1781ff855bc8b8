"""The ways of asking a trained model about regions: the evaluation's, and those of users.

Each takes the questions of an evaluation build, a record with one region and one turn each, and
returns the answers by the record's id.
"""

import asyncio
import base64
import io
import json
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any
from unittest.mock import patch

import openai
from PIL import Image

import regionforge
from model.serve.web.sketch import Sketch
from schemas.sample import IMAGE_TOKEN, region_token
from train.cli import run
from train.serve.opening import open_model

Answers = dict[str, str]  # by id of the record
_TOKENS = 16  # of an answer, at most: as `train.learns` asks
_FLIGHT = 16  # requests
_WORKERS = ("--workers", "0", "--device", "cpu")


@dataclass(frozen=True, kw_only=True)
class HeldOut:
    """A question about a region of a picture that the model was not trained on.

    box: x0, y0, x1, y1; pixels of the picture.
    words: the question, which names the region as `<region1>`.
    """

    id: str
    picture: Path
    box: tuple[float, ...]
    words: str
    reference: str

    def box_shares(self) -> tuple[float, ...]:
        """Return the box as shares of the picture's width and height."""
        with Image.open(self.picture) as picture:
            width, height = picture.size
        x0, y0, x1, y1 = self.box
        return x0 / width, y0 / height, x1 / width, y1 / height


def held_out_questions(shards: Path, pictures: Path) -> list[HeldOut]:
    """Return the questions of an evaluation build, and write its pictures into a folder."""
    pictures.mkdir(parents=True, exist_ok=True)
    questions = []
    for batch in regionforge.read_shards(shards):
        for row in batch.to_pylist():
            path = (
                pictures
                / f"{row['evaluation'][0]['group']}.{row['image']['path'].rpartition('.')[2]}"
            )
            path.write_bytes(row["image"]["bytes"])
            request, answer = row["messages"]
            questions.append(
                HeldOut(
                    id=row["id"],
                    picture=path,
                    box=tuple(row["regions"][0]["bbox"]),
                    words=request["content"].removeprefix(IMAGE_TOKEN).strip(),
                    reference=answer["content"],
                )
            )
    return sorted(questions, key=lambda each: each.picture)


def share_right(questions: Sequence[HeldOut], answers: Mapping[str, str]) -> float:
    """Return the share of answers that are the reference, word for word."""
    return sum(answers.get(each.id) == each.reference for each in questions) / len(questions)


def evaluated(checkpoint: Path, shards: Path, output: Path) -> Answers:
    """Return the predictions of `evaluate`."""
    words = ["--checkpoint", str(checkpoint), "--shards", str(shards), "--output", str(output)]
    _ours("evaluate", "--config", "eval_v3det", *words, "--max-new-tokens", str(_TOKENS), *_WORKERS)
    return {line["id"]: line["answer"] for line in _lines(output / "predictions.jsonl")}


def through_answer(checkpoint: Path, shards: Path, output: Path) -> Answers:
    """Return the answers of `answer`."""
    words = ["--checkpoint", str(checkpoint), "--shards", str(shards), "--output", str(output)]
    _ours("answer", *words, "--max-new-tokens", str(_TOKENS), *_WORKERS)
    return {line["id"]: line["answer"] for line in _lines(output / "answers.jsonl")}


def through_chat(checkpoint: Path, questions: Sequence[HeldOut]) -> Answers:
    """Return the answers of `chat`: of a talk about each picture and all its regions."""
    answers = Answers()
    for picture, group in groupby(questions, key=lambda each: each.picture):
        some = list(group)
        words = ["--checkpoint", str(checkpoint), "--image", str(picture), "--device", "cpu"]
        for each in some:
            words += ["--region", ",".join(map(repr, each.box))]
        typed = [
            each.words.replace(region_token(1), region_token(number))
            for number, each in enumerate(some, start=1)
        ]
        with patch("sys.stdin", io.StringIO("\n/new\n".join(typed))):
            printed = _ours("chat", *words, "--max-new-tokens", str(_TOKENS))
        answers |= zip((each.id for each in some), printed.splitlines(), strict=True)
    return answers


def through_page(checkpoint: Path, questions: Sequence[HeldOut]) -> Answers:
    """Return the answers of the page, without a browser: each box is clicked as it is shown."""
    model, answers = open_model(checkpoint, device="cpu"), Answers()
    for each in questions:
        sketch = Sketch()
        sketch.open(each.picture)
        assert sketch.shown
        x0, y0, x1, y1 = each.box_shares()
        width, height = sketch.shown.size
        sketch.click(int(x0 * width), int(y0 * height))
        sketch.click(int(x1 * width) - 1, int(y1 * height) - 1)
        answers[each.id] = sketch.ask(model, each.words, _TOKENS)
    return answers


async def through_server(address: str, model: str, questions: Sequence[HeldOut]) -> Answers:
    """Return the answers of `serve`, of requests that are sent some at once.

    Args:
        address: of the server's endpoint.
        model: its name.
        questions: see above.
    """
    answers, waiting = Answers(), iter(questions)

    async def put(client: openai.AsyncOpenAI) -> None:
        for each in waiting:
            data = base64.b64encode(each.picture.read_bytes()).decode()
            kind = "png" if each.picture.suffix == ".png" else "jpeg"
            content = [
                {"type": "image_url", "image_url": {"url": f"data:image/{kind};base64,{data}"}},
                {"type": "text", "text": each.words},
            ]
            messages: Any = [{"role": "user", "content": content}]
            answer = await client.chat.completions.create(
                model=model,
                max_tokens=_TOKENS,
                extra_body={"regions": [each.box]},
                messages=messages,
            )
            answers[each.id] = answer.choices[0].message.content or ""

    async with (
        openai.AsyncOpenAI(base_url=address, api_key="none", max_retries=0) as client,
        asyncio.TaskGroup() as group,
    ):
        for _ in range(_FLIGHT):
            group.create_task(put(client))
    return answers


def _ours(*words: str) -> str:
    """Run a command in this process, and return what it prints."""
    printed = io.StringIO()
    with redirect_stdout(printed):
        status = run(words)
    assert status == 0, f"{words[0]} ended with {status}"
    return printed.getvalue()


def _lines(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]
