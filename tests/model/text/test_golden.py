"""The tokens of one short conversation in each form, written out by hand.

Between brackets stand the supervised tokens; numbers are placeholders (`model.config`).
"""

import pytest
from tokenizers import AddedToken, pre_tokenizers
from transformers import LlamaTokenizer, PreTrainedTokenizerBase, Qwen2Tokenizer

from model.text import ConversationEncoder, TokenLayout, chosen_template

TALK = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "<image>\nWhat is <region2>?"},
    {"role": "assistant", "content": "red star."},
    {"role": "user", "content": "<region1>"},
    {"role": "assistant", "content": "blue"},
]
CAPTION = [{"role": "user", "content": "<image>"}, {"role": "assistant", "content": "red star"}]
WORDS = [  # the order is that of the merges
    *("###", "Human", "Assistant", "USER", "ASSISTANT", "system", "user", "assistant"),
    *("Be", "brief", "What", "is", "red", "star", "blue"),
]
CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' }}"
    "{{ message['content'] + '<|im_end|>\\n' }}{% endfor %}"
    "{{ '<|im_start|>assistant\\n' if add_generation_prompt }}"
)
GOLDEN = {
    ("llama", "vicuna_v0"): (
        "<s> ▁Be ▁brief . <0x0A> <0x0A> ### ▁Human : ▁ -201 -200 -200 -202 <0x0A> What ▁is ▁ -300 "
        "? <0x0A> ### ▁Assistant : [ ▁red ▁star . <0x0A> ### ] ▁Human : ▁ -300 <0x0A> ### "
        "▁Assistant : [ ▁blue <0x0A> ### ]"
    ),
    ("llama", "vicuna_v0_released"): (  # from `###` on, but for the questions
        "<s> ▁Be ▁brief . <0x0A> <0x0A> [ ### ▁Human ] : ▁ -201 -200 -200 -202 <0x0A> What ▁is ▁ "
        "-300 ? <0x0A> [ ### ▁Assistant : ▁red ▁star . <0x0A> ### ▁Human ] : ▁ -300 <0x0A> [ ### "
        "▁Assistant : ▁blue <0x0A> ### ]"
    ),
    ("llama", "vicuna_v1"): (
        "<s> ▁Be ▁brief . ▁USER : ▁ -201 -200 -200 -202 <0x0A> What ▁is ▁ -300 ? ▁ASSISTANT : "
        "[ ▁red ▁star . </s> ] USER : ▁ -300 ▁ASSISTANT : [ ▁blue </s> ]"
    ),
    ("llama", "plain"): "<s> -201 -200 -200 -202 [ red ▁star <0x0A> ]",
    ("qwen", "vicuna_v0"): (
        "Be Ġbrief .Ċ Ċ ### ĠHuman : Ġ -201 -200 -200 -202 Ċ What Ġis Ġ -300 ? Ċ ### ĠAssistant : "
        "[ Ġred Ġstar .Ċ ### ] ĠHuman : Ġ -300 Ċ ### ĠAssistant : [ Ġblue Ċ ### ]"
    ),
    ("qwen", "chat"): (
        "<|im_start|> system Ċ Be Ġbrief . <|im_end|> Ċ <|im_start|> user Ċ -201 -200 -200 -202 Ċ "
        "What Ġis Ġ -300 ? <|im_end|> Ċ <|im_start|> assistant Ċ [ red Ġstar . <|im_end|> ] Ċ "
        "<|im_start|> user Ċ -300 <|im_end|> Ċ <|im_start|> assistant Ċ [ blue <|im_end|> ] Ċ"
    ),
    ("qwen", "plain"): "-201 -200 -200 -202 [ red Ġstar Ċ ]",
}


def _merges(space: str) -> list[tuple[str, str]]:
    """Merges that build each word from its left, and then the word after a space."""
    words = [(word[:end], word[end]) for word in WORDS for end in range(1, len(word))]
    return list(dict.fromkeys(words + [(space, word) for word in WORDS]))


def _llama() -> PreTrainedTokenizerBase:
    merges = _merges("▁")
    letters = ["▁", *sorted({letter for word in WORDS for letter in word} | {".", ":", "?"})]
    tokens = ["<unk>", "<s>", "</s>", "<0x0A>", *letters, *map("".join, merges)]
    vocabulary = {token: number for number, token in enumerate(dict.fromkeys(tokens))}
    return LlamaTokenizer(vocab=vocabulary, merges=merges)


def _qwen() -> PreTrainedTokenizerBase:
    merges = [*_merges("Ġ"), (".", "Ċ")]
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens = dict.fromkeys([*letters, *map("".join, merges)])
    vocabulary = {token: number for number, token in enumerate(tokens)}
    tokenizer = Qwen2Tokenizer(vocab=vocabulary, merges=merges, eos_token="<|im_end|>")
    tokenizer.add_tokens([AddedToken("<|im_start|>", special=True)])
    tokenizer.chat_template = CHATML
    return tokenizer


@pytest.mark.parametrize(("family", "form"), GOLDEN)
def test_ids_and_labels(family, form):
    tokenizer = {"llama": _llama, "qwen": _qwen}[family]()
    template = chosen_template("vicuna_v1" if form == "plain" else form, tokenizer)
    encoder = ConversationEncoder(tokenizer, template, TokenLayout(2, boundaries=True))
    messages, regions = (CAPTION, 0) if form == "plain" else (TALK, 2)
    ids: list[int] = []
    labels: list[int] = []
    supervised = False
    for token in GOLDEN[family, form].split():
        if token in "[]":
            supervised = token == "["
            continue
        number = int(token) if token[0] == "-" else tokenizer.convert_tokens_to_ids(token)
        assert number is not None, token
        ids.append(number)
        labels.append(number if supervised else -100)
    encoded = encoder.encode_conversation(messages, regions)
    assert (encoded.input_ids, encoded.labels) == (ids, labels)
    assert encoded.regions == ([1, 0] if regions else [])
    assert (encoded.images, encoded.kept_regions) == (1, list(range(regions)))
    prompt = encoder.encode_prompt(messages[:-1], regions)
    assert ids[: len(prompt.input_ids)] == prompt.input_ids
    assert labels[len(prompt.input_ids)] != -100  # the answer follows the prompt at once


def test_the_sentences_of_the_system():
    """Facts of the format: models were trained after these very words."""
    tokenizer = _llama()
    question = [{"role": "user", "content": "Why?"}]
    assert {
        name: ConversationEncoder(
            tokenizer, chosen_template(name, tokenizer), TokenLayout(2)
        ).render(question, generate=True)
        for name in ("vicuna_v0", "vicuna_v1")
    } == {
        "vicuna_v0": "<s>A chat between a curious human and an artificial intelligence assistant. "
        "The assistant gives helpful, detailed, and polite answers to the human's questions."
        "\n\n### Human: Why?\n### Assistant:",
        "vicuna_v1": "<s>A chat between a curious user and an artificial intelligence assistant. "
        "The assistant gives helpful, detailed, and polite answers to the user's questions."
        " USER: Why? ASSISTANT:",
    }
