"""The chat template that is saved with a tokenizer writes text whose ids are the encoder's."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.text import ConversationEncoder, TokenLayout, chosen_template

TALK = [
    {"role": "user", "content": "<image>\nWhat is <region1>, and what is  <region2>?"},
    {"role": "assistant", "content": "a red star.\nA red  star: [1]."},
    {"role": "user", "content": "<region2>"},
    {"role": "assistant", "content": "[1] \N{SNOWMAN} naïve ▁ café"},
]
SYSTEM = {"role": "system", "content": "Be brief."}
CAPTION = [{"role": "user", "content": "<image>"}, {"role": "assistant", "content": "a red star"}]
MORE = [{"role": "user", "content": "<region1>?"}, {"role": "assistant", "content": "So."}]
TEXT = st.text("a\u0301é .:,\n#[1▁'", min_size=1).map(str.strip).filter(len)


def rendered(encoder, messages, regions):
    """The ids of what transformers makes of the saved template."""
    text = encoder.tokenizer.apply_chat_template(
        messages,
        chat_template=encoder.jinja,
        tokenize=False,
        add_generation_prompt=messages[-1]["role"] == "user",
        enable_thinking=False,
    )
    return encoder.encode_text(text, regions)


@pytest.mark.parametrize(
    ("messages", "regions"),
    [
        (TALK, 2),
        ([SYSTEM, *TALK], 2),
        (CAPTION, 0),
        ([SYSTEM, *CAPTION], 0),
        ([*CAPTION, *MORE], 1),
    ],
    ids=["talk", "system", "caption", "caption-system", "caption-more"],
)
def test_ids_of_the_rendered_text(encoder, messages, regions):
    encoded = encoder.encode_conversation(messages, regions)
    text = rendered(encoder, messages, regions)
    assert (encoded.input_ids, encoded.regions) == (text.input_ids, text.regions)
    prompt = encoder.encode_prompt(messages[:-1], regions)
    assert prompt == rendered(encoder, messages[:-1], regions)
    assert prompt.input_ids == encoded.input_ids[: len(prompt.input_ids)]


@given(data=st.data(), texts=st.lists(TEXT, min_size=2, max_size=5))
def test_ids_of_any_text(tokenizers, encoder_of, data, texts):
    family = data.draw(st.sampled_from(sorted(tokenizers)))
    encoder = encoder_of(family, data.draw(st.sampled_from(["vicuna_v0", "vicuna_v1", "chat"])))
    messages = [
        {"role": ("user", "assistant")[turn % 2], "content": text}
        for turn, text in enumerate(texts)
    ]
    if len(messages) % 2:
        assert encoder.encode_prompt(messages, 0) == rendered(encoder, messages, 0)
    else:
        ids = encoder.encode_conversation(messages, 0).input_ids
        assert ids == rendered(encoder, messages, 0).input_ids


def test_captions_without_a_question_are_plain(encoder_of, family):
    plain = encoder_of(family, "vicuna_v1").encode_conversation(CAPTION, 0)
    assert plain == encoder_of(family, "chat").encode_conversation(CAPTION, 0)
    beginning = [1] if family.startswith("llama") else []
    start = len(beginning) + 2
    assert plain.input_ids[:start] == [*beginning, -200, -200]
    assert plain.labels[start:] == plain.input_ids[start:]
    asked = encoder_of(family, "vicuna_v0").encode_conversation(CAPTION, 0)
    assert len(asked.input_ids) > 3 * len(plain.input_ids)
    talk = encoder_of(family, "vicuna_v1").encode_conversation([*CAPTION, *MORE], 1)
    assert len(talk.input_ids) > 3 * len(plain.input_ids)


def test_a_saved_template_opens_and_saves_as_it_is(encoder_of, tokenizers, tmp_path):
    for family, tokenizer in tokenizers.items():
        encoder = encoder_of(family, "chat")
        changed = copy.deepcopy(tokenizer)
        changed.chat_template = encoder.jinja
        changed.save_pretrained(tmp_path / family)
        opened = type(tokenizer).from_pretrained(tmp_path / family)
        again = ConversationEncoder(opened, chosen_template("chat", opened), TokenLayout(2))
        assert again.jinja == encoder.jinja
        for messages, regions in ((TALK, 2), (CAPTION, 0)):
            encoded = again.encode_conversation(messages, regions)
            assert encoded == encoder.encode_conversation(messages, regions)
