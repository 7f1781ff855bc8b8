"""Answers of several rows at once, beside those of each alone, and their ends."""

import numpy as np
import pytest
import torch
from PIL import Image

from model.serve.answering import PendingAnswer, Settings, _Drawing, generate_answers
from model.serve.opened import Prompt

PICTURE = Image.fromarray(np.arange(48 * 64 * 3, dtype=np.uint8).reshape(48, 64, 3))


def prompt(words, regions=(), *, picture=True):
    content = f"<image>\n{words}" if picture else words
    return Prompt(
        messages=[{"role": "user", "content": content}],
        picture=PICTURE if picture else None,
        regions=regions,
    )


PROMPTS = [
    prompt("What is <region1>?", [(1, 2, 30, 40)]),
    prompt("Hello, and a longer question than the others."),
    prompt("Who?", picture=False),
    prompt("<region1> or <region2>?", [(1, 2, 30, 40), (20, 20, 60, 44)]),
]


def answered(opened, prompts, settings, *, seen=None):
    pending = [
        PendingAnswer(
            opened.processor, each, None if seen is None else seen.setdefault(row, []).append
        )
        for row, each in enumerate(settings)
    ]
    inputs = opened.processor.collate([opened.encode(each) for each in prompts])
    generate_answers(opened.model, opened.processor, inputs, pending)
    return pending


def test_rows_of_all_sorts_are_answered_as_each_alone(opened):
    settings = [Settings(max_new_tokens=n) for n in (9, 3, 12, 6)]
    together = answered(opened, PROMPTS, settings)
    alone = [
        answered(opened, [each], [chosen])[0]
        for each, chosen in zip(PROMPTS, settings, strict=True)
    ]
    assert [a.text for a in together] == [a.text for a in alone]
    assert [a.tokens for a in together] == [a.tokens for a in alone] == [9, 3, 12, 6]
    assert {a.end for a in together} == {"length"}
    assert len({a.text for a in together}) > 1


def test_the_parts_are_the_whole(opened):
    seen: dict[int, list[str]] = {}
    together = answered(opened, PROMPTS, [Settings(max_new_tokens=24)] * 4, seen=seen)
    assert ["".join(seen.get(row, [])) for row in range(4)] == [a.text for a in together]
    assert max(map(len, seen.values())) > 1


def test_a_drawn_answer_depends_on_its_seed_and_not_on_its_neighbours(regiongpt):
    def sampled(prompts, seeds, **options):
        settings = [
            Settings(max_new_tokens=12, temperature=1.0, seed=seed, **options) for seed in seeds
        ]
        return [a.text for a in answered(regiongpt, prompts, settings)]

    first, second, again = sampled([PROMPTS[0]] * 3, (1, 2, 1))
    assert first == again != second
    assert sampled([PROMPTS[0]], (2,)) == [second]
    (greedy,) = answered(regiongpt, PROMPTS[:1], [Settings(max_new_tokens=12)])
    assert sampled([PROMPTS[0]], (1,), top_p=1e-6) == [greedy.text] != [first]


def test_draws_follow_the_softmax(regiongpt):
    logits = torch.tensor([2.0, 1.0, 0.0, -1.0])
    pending = PendingAnswer(regiongpt.processor, Settings(temperature=2.0, top_p=0.85, seed=3))
    draw = _Drawing([pending])
    draws = torch.stack([draw(None, logits[None]).argmax() for _ in range(4000)])
    expected = (logits[:3] / 2).softmax(0)  # the fourth is beyond the share
    shares = torch.bincount(draws, minlength=4) / 4000
    assert shares[3] == 0
    assert shares[:3].tolist() == pytest.approx(expected.tolist(), abs=0.03)


@pytest.mark.parametrize("temperature", [5e-324, 1e-9])
def test_next_to_no_temperature_takes_the_likeliest(regiongpt, temperature):
    logits = torch.tensor([1.0, 3.0, 2.0])
    draw = _Drawing([PendingAnswer(regiongpt.processor, Settings(temperature=temperature))])
    assert {int(draw(None, logits[None]).argmax()) for _ in range(50)} == {1}


class Processor:
    """A processor whose tokens are characters, and whose stop is `##`."""

    max_length = None

    class tokenizer:  # noqa: N801
        @staticmethod
        def decode(ids, **_):
            return "".join(map(chr, ids))

    def stopping(self):
        return {"stop_strings": ["##"]}

    def post_process_image_text_to_text(self, outputs):
        return [self.tokenizer.decode(ids.tolist()).partition("##")[0].strip() for ids in outputs]


def fed(text, stop=(), limit=100):
    parts: list[str] = []
    pending = PendingAnswer(Processor(), Settings(stop=stop), parts.append)  # type: ignore[arg-type]
    for character in text:
        pending.add(ord(character), (ord("$"),), limit)
    return pending, parts


def test_a_stop_is_never_shown():
    pending, parts = fed(" a #b##c")
    assert (pending.text, pending.end, pending.tokens) == ("a #b", "stop", 7)
    assert "".join(parts) == "a #b"
    assert "#" not in parts


def test_a_users_stop_ends_the_answer():
    pending, parts = fed("one two three", stop=("two",))
    assert (pending.text, pending.end, "".join(parts)) == ("one", "stop", "one")
    assert pending.tokens == 7


def test_half_a_character_waits():
    pending, parts = fed("a\N{REPLACEMENT CHARACTER}")
    assert (pending.text, parts) == ("a", ["a"])


def test_what_comes_after_the_end_is_left_out():
    pending, _ = fed("abc", limit=2)
    assert (pending.text, pending.end, pending.tokens) == ("ab", "length", 2)
    pending, _ = fed("ab")
    pending.cancel()
    pending.add(ord("c"), (), 100)
    assert (pending.tokens, pending.end) == (2, "cancelled")
