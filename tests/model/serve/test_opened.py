"""Talks of several rounds."""

import re

import numpy as np
import pytest
from PIL import Image

from model.errors import InputError
from model.serve.composition import disarmed
from model.serve.opened import MOST_REGIONS, Prompt
from schemas.errors import RegionForgeError

PICTURE = Image.fromarray(np.arange(48 * 64 * 3, dtype=np.uint8).reshape(48, 64, 3))
BOX = (1, 2, 30, 40)


def talk(opened, regions=(BOX,), **options):
    return opened.talk(PICTURE, regions, max_new_tokens=8, **options)


def test_a_talk_answers_as_the_model_does(opened):
    opening = "<image>" if opened.region_as == "mask" else None
    answer = talk(opened).ask("What is <region1>?")
    first = "<image>\n" if opening else "The <image> provides an overview of the picture.\n"
    prompt = Prompt(
        messages=[{"role": "user", "content": f"{first}What is <region1>?"}],
        picture=PICTURE,
        regions=[BOX],
    )
    inputs = opened.processor.apply_chat_template(
        prompt.messages,
        images=PICTURE,
        regions=[BOX],
        add_generation_prompt=True,
        tokenize=True,
        return_dict=True,
    )
    ids = opened.model.generate(**inputs, max_new_tokens=8, do_sample=False)
    assert [answer] == opened.processor.post_process_image_text_to_text(ids)
    assert answer


def test_a_later_turn_follows_the_models_own_answer(opened, monkeypatch):
    prompts = list[Prompt]()
    encode = type(opened).encode

    def noted(self, prompt):
        prompts.append(prompt)
        return encode(self, prompt)

    monkeypatch.setattr(type(opened), "encode", noted)
    several = talk(opened, [BOX, (20, 20, 60, 44)])
    answers = [several.ask("What is region1?"), several.ask("And region2?")]
    said = [message["content"] for message in several.messages]
    assert said == ["What is region1?", answers[0], "And region2?", answers[1]]
    assert [len(prompt.regions) for prompt in prompts] == [1, 2]
    assert [message["role"] for message in prompts[1].messages] == ["user", "assistant", "user"]
    assert prompts[1].messages[1]["content"] == disarmed(answers[0])


def test_a_question_that_fails_is_not_part_of_the_talk(opened):
    one = talk(opened)
    with pytest.raises(InputError, match="'region2' in a question, and there is one region"):
        one.ask("What is region2?")
    with pytest.raises(InputError, match="an empty question"):
        one.ask(" ")
    assert one.messages == []


@pytest.mark.parametrize(
    ("regions", "message"),
    [
        ([(100, 2, 130, 40)], r"^region 1: .* has no part in a 64 x 48 image$"),
        ([BOX, (5, 5, 5, 9)], r"^region 2: expected a width and a height"),
        ([np.ones((4, 4), bool)], r"^region 1: a mask of 4 x 4 pixels on a picture of 64 x 48$"),
        ([BOX] * (MOST_REGIONS + 1), r"^101 regions, expected 100 at most$"),
    ],
)
def test_regions_that_cannot_be_are_refused_before_a_question(opened, regions, message):
    with pytest.raises(InputError, match=message):
        talk(opened, regions)


def test_regions_need_a_picture(opened):
    with pytest.raises(InputError, match=r"^regions without a picture$"):
        opened.talk(None, [BOX])
    assert opened.talk(None, max_new_tokens=4).ask("Hello").strip() is not None


def test_what_the_model_cannot_read_at_once_is_refused(regiongpt):
    many = talk(regiongpt, [BOX] * MOST_REGIONS)
    with pytest.raises(RegionForgeError) as refused:
        many.ask("What are they? " * 200)
    assert re.fullmatch(r"\d+ tokens, expected \d+ at most", str(refused.value))


def test_a_picture_of_fifty_megapixels_is_read(regiongpt):
    large = Image.new("L", (10_000, 5_000), 90)
    one = regiongpt.talk(large, [(9_000, 4_000, 10_000, 5_000)], max_new_tokens=2)
    one.ask("What is region1?")
    assert len(one.messages) == 2
    with pytest.raises(InputError, match="at most 80000000 in all"):
        regiongpt.talk(Image.new("L", (10_000, 8_001)))
