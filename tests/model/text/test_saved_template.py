"""The chat template that is saved with a tokenizer writes text whose ids are the encoder's."""

import pytest

TALK = [
    {"role": "user", "content": "<image>\nWhat is <region1>, and what is  <region2>?"},
    {"role": "assistant", "content": "a red star.\nA red  star: [1]."},
    {"role": "user", "content": "<region2>"},
    {"role": "assistant", "content": "[1] \N{SNOWMAN} naïve ▁ café"},
]
SYSTEM = {"role": "system", "content": "Be brief."}


@pytest.mark.parametrize("messages", [TALK, [SYSTEM, *TALK]], ids=["plain", "system"])
def test_ids_of_the_rendered_text(encoder, tokenizer, messages):
    def rendered(turns, *, generate):
        text = tokenizer.apply_chat_template(
            turns,
            chat_template=encoder.jinja,
            tokenize=False,
            add_generation_prompt=generate,
            enable_thinking=False,
        )
        return encoder.encode_text(text, 2).input_ids

    assert encoder.encode_conversation(messages, 2).input_ids == rendered(messages, generate=False)
    assert encoder.encode_prompt(messages[:-1], 2).input_ids == rendered(
        messages[:-1], generate=True
    )
