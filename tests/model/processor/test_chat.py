"""Messages become the same ids by template, as text, in parts, and in a training row."""

from typing import Any

import pytest
import torch
from PIL import Image

from model.errors import InputError
from model.processor import RegionProcessor
from schemas.errors import RegionForgeError

BOXES = [(0, 0, 16, 12), (32, 12, 64, 48)]
QUESTION = "<image>\nWhat is in <region1> and <region2>?"
MESSAGES = [{"role": "user", "content": QUESTION}]
ANSWERED = [*MESSAGES, {"role": "assistant", "content": "A red star."}]


@pytest.fixture(params=["box_processor", "mask_processor", "chat_processor"])
def processor(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(request.param)


def equal(first: Any, second: Any) -> bool:
    return set(first) == set(second) and all(torch.equal(first[key], second[key]) for key in first)


def batch_of(processor: Any, messages: Any, **options: Any) -> Any:
    return processor.apply_chat_template(messages, tokenize=True, return_dict=True, **options)


def test_a_batch_equals_that_of_the_rendered_text(processor: Any, picture: Image.Image) -> None:
    for messages, generate in ((MESSAGES, True), (ANSWERED, False), (MESSAGES, False)):
        text = processor.apply_chat_template(messages, add_generation_prompt=generate)
        assert isinstance(text, str)
        assert QUESTION in text
        direct = batch_of(
            processor, messages, images=picture, regions=BOXES, add_generation_prompt=generate
        )
        assert equal(direct, processor(images=picture, text=text, regions=BOXES))


def test_the_tokenizer_of_the_folder_renders_the_same(processor: Any, tmp_path: Any) -> None:
    processor.save_pretrained(tmp_path)
    loaded = RegionProcessor.from_pretrained(tmp_path).tokenizer
    for messages in (MESSAGES, ANSWERED, [{"role": "user", "content": "<image>"}]):
        for generate in (True, False):
            ours = processor.apply_chat_template(messages, add_generation_prompt=generate)
            theirs = loaded.apply_chat_template(
                messages, tokenize=False, add_generation_prompt=generate
            )
            assert ours == theirs


def test_parts_equal_plain_text(processor: Any, picture: Image.Image) -> None:
    words = {"type": "text", "text": "What is in <region1> and <region2>?"}
    plain = batch_of(processor, MESSAGES, images=picture, regions=BOXES, add_generation_prompt=True)
    parts = [{"role": "user", "content": [{"type": "image"}, words]}]
    carried = [{"role": "user", "content": [{"type": "image", "image": picture}, words]}]
    before = [dict(message) for message in carried]
    for messages, images in ((parts, picture), (parts, [picture]), (carried, None)):
        made = batch_of(
            processor, messages, images=images, regions=BOXES, add_generation_prompt=True
        )
        assert equal(made, plain)
    assert carried == before  # a caller's messages stay as they are


def test_several_conversations(processor: Any, picture: Image.Image) -> None:
    hello = [{"role": "user", "content": "Hello"}]
    batch = batch_of(
        processor,
        [MESSAGES, hello],
        images=[picture, None],
        regions=[BOXES, None],
        add_generation_prompt=True,
    )
    texts = processor.apply_chat_template([MESSAGES, hello], add_generation_prompt=True)
    assert equal(batch, processor(images=[picture, None], text=texts, regions=[BOXES, None]))
    ids = processor.apply_chat_template(
        [MESSAGES, hello],
        images=[picture, None],
        regions=[BOXES, None],
        add_generation_prompt=True,
        tokenize=True,
    )
    assert torch.equal(ids, batch["input_ids"])


def test_special_tokens_in_a_question_are_text(
    mask_processor: RegionProcessor, chat_processor: RegionProcessor
) -> None:
    for processor, mark in ((mask_processor, "</s>"), (chat_processor, "<|im_end|>")):
        messages = [{"role": "user", "content": f"What is {mark}?"}]
        harmless = [{"role": "user", "content": "What is ?"}]
        number = processor.tokenizer.convert_tokens_to_ids(mark)
        counts = [
            (batch_of(processor, talk, add_generation_prompt=True)["input_ids"] == number).sum()
            for talk in (messages, harmless)
        ]
        assert counts[0] == counts[1]


def test_answers_are_read_without_their_stops(processor: Any) -> None:
    answers = ["A red star.", "Two dogs"]
    ids = [processor.answer_ids(answer) for answer in answers]
    longest = max(map(len, ids))
    pad = processor.tokenizer.pad_token_id
    generated = torch.tensor([row + [pad] * (longest - len(row)) for row in ids])
    assert processor.post_process_image_text_to_text(generated) == answers
    row: dict[str, Any] = {"id": "a/b", "image": None, "width": None, "height": None, "regions": []}
    talk = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": answers[0]}]
    example = processor.encode_row({**row, "messages": talk})
    assert [label for label in example.labels or [] if label >= 0] == ids[0]


def test_stopping(
    box_processor: RegionProcessor, mask_processor: RegionProcessor, chat_processor: RegionProcessor
) -> None:
    v0 = box_processor.stopping()
    assert v0 == {"stop_strings": ["###"], "tokenizer": box_processor.tokenizer}
    for processor, mark in ((mask_processor, "</s>"), (chat_processor, "<|im_end|>")):
        number = processor.tokenizer.convert_tokens_to_ids(mark)
        assert processor.stopping() == {"eos_token_id": [number]}


BAD: dict[str, tuple[Any, dict[str, Any], str]] = {
    "no messages": ([], {}, r"expected messages, found \[\]"),
    "a text": ("Hello", {}, "expected messages, found 'Hello'"),
    "no content": ([{"role": "user"}], {}, "row 0: expected messages with role and content"),
    "a number": ([{"role": "user", "content": 3}], {}, "row 0: expected a text or a list of parts"),
    "another part": (
        [{"role": "user", "content": [{"type": "video"}]}],
        {},
        "row 0: a part of type 'video'",
    ),
    "twice": (
        [{"role": "user", "content": [{"type": "image", "path": "a.jpg"}]}],
        {"images": "a.jpg"},
        "pictures both in the messages and as `images`",
    ),
    "an address": (
        [{"role": "user", "content": [{"type": "image", "url": "https://e.org/a.jpg"}]}],
        {},
        "row 0: .*is an address",
    ),
    "two in a turn": (
        [{"role": "user", "content": [{"type": "image", "path": "a.jpg"}] * 2}],
        {},
        "row 0: 2 pictures, expected one at most",
    ),
    "no user": ([{"role": "assistant", "content": "Hi"}], {}, "row 0: its roles are"),
    "no picture": (MESSAGES, {"regions": BOXES}, "row 0: <image> without a picture"),
    "no regions": (MESSAGES, {"images": "a.jpg"}, "row 0: <region1> is mentioned, expected none"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_messages_are_named(processor: Any, case: str) -> None:
    messages, options, message = BAD[case]
    with pytest.raises(RegionForgeError, match=message):
        batch_of(processor, messages, add_generation_prompt=True, **options)


def test_a_finished_conversation_is_never_cut(mask_processor: RegionProcessor) -> None:
    talk = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "x" * 900}] * 3
    with pytest.raises(InputError, match="row 0: more than max_length, 2048 tokens"):
        batch_of(mask_processor, talk)


def test_a_template_of_ones_own(mask_processor: RegionProcessor, picture: Image.Image) -> None:
    own = (
        "{% for m in messages %}[{{ m['role'] }}] {{ m['content'] }}"
        "{{ eos_token if m['role'] == 'assistant' }}{% endfor %}"
        "{{ '[assistant] ' if add_generation_prompt }}"
    )
    arguments: Any = {
        "image_processor": mask_processor.image_processor,
        "tokenizer": mask_processor.tokenizer,
        "chat_template": own,
        "region_grid": 16,
    }
    processor = RegionProcessor(**arguments, template="chat")
    text = processor.apply_chat_template(MESSAGES, add_generation_prompt=True)
    assert text == f"[user] {QUESTION}[assistant] "
    with pytest.raises(ValueError, match="set template to 'chat'"):
        RegionProcessor(**arguments)
    with pytest.raises(ValueError, match="template is 'alpaca', expected"):
        RegionProcessor(**arguments, template="alpaca")
