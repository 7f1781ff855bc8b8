"""Language models' own chat templates: what they write is kept, and answers stand apart in it."""

import copy

import pytest

from model.text import ConversationEncoder, TokenLayout, chosen_template
from schemas.errors import UsageError

TALK = [
    {"role": "user", "content": "<image>\nWhat is it?"},
    {"role": "assistant", "content": "a red star"},
    {"role": "user", "content": "Where?"},
    {"role": "assistant", "content": "on the left"},
]
EACH = "{% for message in messages %}"
# No line break after the mark of a prompt, as Zephyr's: the model has to write it.
BREAKS_ITSELF = (
    EACH + "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + eos_token + '\\n' }}"
    "{% endfor %}{{ '<|im_start|>assistant' if add_generation_prompt }}"
)
# As Llama 2's: answers stand between blanks, and no words ask for one.
BETWEEN_BLANKS = (
    EACH + "{% if message['role'] == 'user' %}{{ '[INST] ' + message['content'] + ' [/INST]' }}"
    "{% else %}{{ ' ' + message['content'] + ' ' + eos_token }}{% endif %}{% endfor %}"
)


def encoder_for(tokenizer, jinja):
    changed = copy.deepcopy(tokenizer)
    changed.chat_template = jinja
    return ConversationEncoder(changed, chosen_template("chat", changed), TokenLayout(1))


def shown(tokenizer, encoded):
    """The text with its supervised parts in brackets."""
    parts, learns = [], False
    for number, label in zip(encoded.input_ids, encoded.labels, strict=True):
        if learns != (label != -100):
            learns = not learns
            parts.append("[" if learns else "]")
        parts.append(tokenizer.decode([number]) if number >= 0 else "*")
    return "".join(parts) + "]" * learns


def test_a_default_system_message_and_an_empty_thought(tokenizers, encoder_of):
    encoder, tokenizer = encoder_of("qwen", "chat", image_tokens=1), tokenizers["qwen"]
    assert shown(tokenizer, encoder.encode_conversation(TALK, 0)) == (
        "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
        "<|im_start|>user\n*\nWhat is it?<|im_end|>\n"
        "<|im_start|>assistant\n[a red star<|im_end|>]\n"
        "<|im_start|>user\nWhere?<|im_end|>\n"
        "<|im_start|>assistant\n<think>\n\n</think>\n\n[on the left<|im_end|>]\n"
    )
    prompt = encoder.encode_prompt(TALK[:3], 0)
    text = tokenizer.decode([number for number in prompt.input_ids if number >= 0])
    assert text.endswith("Where?<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n")
    for mark in ("<think>", "</think>", "<|im_end|>"):
        assert encoder.pieces.marks[mark] in prompt.input_ids


def test_the_thought_moves_to_the_last_turn_that_is_kept(tokenizers, encoder_of):
    whole = encoder_of("qwen", "chat").encode_conversation(TALK, 0)
    encoder = encoder_of("qwen", "chat", max_length=len(whole.input_ids) - 1)
    encoded = encoder.encode_conversation(TALK, 0)
    assert encoded.dropped_turns == 1
    assert shown(tokenizers["qwen"], encoded).endswith("</think>\n\n[a red star<|im_end|>]\n")


def test_an_answer_begins_where_a_prompt_ends(tokenizers):
    tokenizer = tokenizers["qwen"]
    encoder = encoder_for(tokenizer, BREAKS_ITSELF)
    assert shown(tokenizer, encoder.encode_conversation(TALK, 0)) == (
        "<|im_start|>user\n*\nWhat is it?<|im_end|>\n"
        "<|im_start|>assistant[\na red star<|im_end|>]\n"
        "<|im_start|>user\nWhere?<|im_end|>\n"
        "<|im_start|>assistant[\non the left<|im_end|>]\n"
    )
    encoder = encoder_for(tokenizer, BETWEEN_BLANKS)
    assert shown(tokenizer, encoder.encode_conversation(TALK, 0)) == (
        "[INST] *\nWhat is it? [/INST][ a red star <|im_end|>]"
        "[INST] Where? [/INST][ on the left <|im_end|>]"
    )


@pytest.mark.parametrize("trim", ["", " | trim"])
def test_templates_that_trim_messages(tokenizers, trim):
    start = "{{ '<|im_start|>' + message['role'] + '\\n' + (message['content']"
    end = ") + '<|im_end|>' }}{% endfor %}{{ '<|im_start|>assistant\\n' if add_generation_prompt }}"
    jinja = f"{EACH}{start}{trim}{end}"
    encoder = encoder_for(tokenizers["qwen"], jinja)
    talk = [
        {"role": "user", "content": "  What is it?\n"},
        {"role": "assistant", "content": "\ta star "},
    ]
    encoded = encoder.encode_conversation(talk, 0)
    text = encoder.render(talk, generate=False)
    assert encoded.input_ids == encoder.encode_text(text, 0).input_ids
    question, answer = ("What is it?", "a star") if trim else ("  What is it?\n", "\ta star ")
    assert shown(tokenizers["qwen"], encoded) == (
        f"<|im_start|>user\n{question}<|im_end|><|im_start|>assistant\n[{answer}<|im_end|>]"
    )


def test_a_prompt_is_the_start_of_its_conversation(encoder, template):
    whole = encoder.encode_conversation(TALK, 0)
    prompt = encoder.encode_prompt(TALK[:-1], 0).input_ids
    assert whole.input_ids[: len(prompt)] == prompt
    answer = [number for number in whole.labels[len(prompt) :] if number != -100]
    assert whole.labels[len(prompt)] == answer[0]
    assert encoder.answer(answer) == "on the left"


def test_the_bos_comes_first_and_once(encoder, tokenizer, family):
    ids = encoder.encode_conversation(TALK, 0).input_ids
    bos = [1] if family.startswith("llama") else []
    assert ([number for number in ids if number == tokenizer.bos_token_id], ids[: len(bos)]) == (
        bos,
        bos,
    )


def test_where_generation_ends(encoder_of, tokenizers):
    ends = {
        (family, template): (encoder.stop_strings, encoder.stop_ids)
        for family in ("llama", "qwen")
        for template in ("vicuna_v0", "vicuna_v1", "chat")
        for encoder in [encoder_of(family, template)]
    }
    ended, im_end = 2, tokenizers["llama"].convert_tokens_to_ids("<|im_end|>")
    of_qwen = tokenizers["qwen"].eos_token_id
    assert ends == {
        ("llama", "vicuna_v0"): (("###",), ()),
        ("llama", "vicuna_v1"): ((), (ended,)),
        ("llama", "chat"): ((), (im_end,)),
        ("qwen", "vicuna_v0"): (("###",), ()),
        ("qwen", "vicuna_v1"): ((), (of_qwen,)),
        ("qwen", "chat"): ((), (of_qwen,)),
    }


def test_the_answer_in_what_was_generated(encoder_of, tokenizers):
    for family, tokenizer in tokenizers.items():
        encoder = encoder_of(family, "vicuna_v0")
        ids = tokenizer(" a star, # 1\n### Human: And", add_special_tokens=False).input_ids
        assert encoder.answer(ids) == "a star, # 1"
        encoder = encoder_of(family, "chat")
        ids = tokenizer("a star ### 1<|im_end|>", add_special_tokens=False).input_ids
        assert encoder.answer(ids) == "a star ### 1"


@pytest.mark.parametrize(
    ("jinja", "problem"),
    [
        (EACH + "{{ messages[0]['content'] + eos_token }}{% endfor %}", r"the messages \[0, 0\]"),
        ("{{ messages[0]['content'] }}", r"the messages \[0\] of a conversation of 2"),
        (EACH + "{{ message['content'] + '\\n' }}{% endfor %}", r"writes '\\n' after an answer"),
    ],
)
def test_templates_that_cannot_be_learned_from(tokenizers, jinja, problem):
    encoder = encoder_for(tokenizers["qwen"], jinja)
    with pytest.raises(UsageError, match=problem):
        encoder.encode_conversation(TALK[:2], 0)


def test_a_language_model_without_a_chat_template(byte_tokenizer):
    with pytest.raises(UsageError, match=r"has no chat template \(chat_template\.jinja\)"):
        chosen_template("chat", byte_tokenizer)
