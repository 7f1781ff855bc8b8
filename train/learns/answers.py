"""Answers that a model generates for the questions of an evaluation's shards, and their score."""

import re
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from model.processor import RegionProcessor
from model.region_model import RegionModel
from schemas.geometry import Box
from train.data.pictures import picture_bytes
from train.data.rows import Row, ShardRows

_REGION = re.compile("<region([0-9]+)>")
_NEW_TOKENS = 16  # of an answer, at most
_TOGETHER = 64  # questions


@dataclass(frozen=True, kw_only=True)
class Question:
    """A question about regions of a picture, and the right answer."""

    messages: list[dict[str, Any]]
    picture: bytes
    regions: list[Box]
    longest_side: int  # of the picture, pixels, as those of regions
    reference: str

    @property
    def asked(self) -> Box:
        """The box of the region that the question names last."""
        numbers = _REGION.findall(self.messages[-1]["content"])
        return self.regions[int(numbers[-1]) - 1]


@dataclass(frozen=True, kw_only=True)
class Score:
    """The score of answers."""

    exact: float  # share that is the reference, word for word
    majority: float  # share of the most frequent reference
    questions: int


def questions_of(rows: ShardRows) -> list[Question]:
    """Return the questions of all rows: each turn, after the right answers to those before it."""
    return [question for row in rows for question in _questions(row)]


def of_other_pictures(questions: Sequence[Question], shift: int = 97) -> list[Question]:
    """Return the same questions and references with the picture and the regions of other rows.

    The other question has as many regions, and is `shift` such questions further on: that is more
    than there are about one picture.
    """
    alike: dict[int, list[Question]] = {}
    for question in questions:
        alike.setdefault(len(question.regions), []).append(question)
    others = {
        count: deque(some[shift % len(some) :] + some[: shift % len(some)])
        for count, some in alike.items()
    }
    changed = []
    for question in questions:
        other = others[len(question.regions)].popleft()
        changed.append(
            replace(
                question,
                picture=other.picture,
                regions=other.regions,
                longest_side=other.longest_side,
            )
        )
    return changed


def score(model: RegionModel, processor: RegionProcessor, questions: Sequence[Question]) -> Score:
    """Return the score of a model's own answers, generated greedily."""
    return score_answers(generated(model, processor, questions), questions)


def score_answers(answers: Sequence[str], questions: Sequence[Question]) -> Score:
    """Return the score of answers, one to each question."""
    references = [question.reference for question in questions]
    right = sum(map(str.__eq__, answers, references))
    ((_, most),) = Counter(references).most_common(1)
    count = len(references)
    return Score(exact=right / count, majority=most / count, questions=count)


def generated(
    model: RegionModel, processor: RegionProcessor, questions: Sequence[Question]
) -> list[str]:
    """Return the answers that a model generates greedily."""
    model.eval()
    model.set_attn_implementation({"text_config": "sdpa"})  # rows are padded
    answers: list[str] = []
    for start in range(0, len(questions), _TOGETHER):
        some = questions[start : start + _TOGETHER]
        batch = processor.apply_chat_template(
            [question.messages for question in some],
            images=[question.picture for question in some],
            regions=[question.regions for question in some],
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
        ).to(model.device)
        with torch.inference_mode():
            ids = model.generate(
                **batch, **processor.stopping(), do_sample=False, max_new_tokens=_NEW_TOKENS
            )
        answers += processor.post_process_image_text_to_text(ids)
    return answers


def _questions(row: Row) -> Iterator[Question]:
    content = picture_bytes(row, None)
    if content is None:
        return
    messages = row["messages"]
    for turn, message in enumerate(messages):
        if message["role"] == "assistant":
            text = "".join(earlier["content"] for earlier in messages[:turn])
            mentioned = max((int(number) for number in _REGION.findall(text)), default=0)
            yield Question(
                messages=messages[:turn],
                picture=content,
                regions=[tuple(region["bbox"]) for region in row["regions"][:mentioned]],
                longest_side=max(row["width"], row["height"]),
                reference=message["content"],
            )
