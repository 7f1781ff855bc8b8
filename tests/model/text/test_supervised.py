"""What a model learns to write is the answers and their stops, nothing more and nothing less."""

import re
from collections import Counter
from itertools import groupby
from unicodedata import normalize

from hypothesis import given
from hypothesis import strategies as st

from schemas.sample import Task

STOPS = {"vicuna_v0": "\n###", "chat": "<|im_end|>", "plain": "\n"}  # of vicuna_v1: EOS
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\u2581"), min_size=1)


def learned(tokenizer, encoded):
    """The texts that labels spell, one for each run of supervised positions."""
    start = tokenizer("x", add_special_tokens=False).input_ids  # decoders drop a space at the start
    shown = []
    pairs = zip(encoded.input_ids, encoded.labels, strict=True)
    for supervised, run in groupby(pairs, key=lambda pair: pair[1] != -100):
        if supervised:
            ids, labels = zip(*run, strict=True)
            assert ids == labels
            text = tokenizer.decode([*start, *labels], clean_up_tokenization_spaces=False)
            assert text.startswith("x")
            shown.append(text[1:])
    return shown


def expected(tokenizer, template, messages):
    """The same texts from the messages; those of Vicuna's forms begin with a blank."""
    answers = [message["content"] for message in messages if message["role"] == "assistant"]
    if template != "vicuna_v0" and messages[0]["content"] == "<image>":
        return [f"{answer}\n" for answer in answers]
    blank, stop = " " * template.startswith("vicuna"), STOPS.get(template, tokenizer.eos_token)
    return [f"{blank}{answer}{stop}" for answer in answers]


def test_every_task_of_every_recipe(built_rows, tokenizers, encoder_of):
    tasks = {task for row in built_rows for task in row["turn_tasks"]}
    assert tasks == set(Task)
    assert sum(row["messages"][0]["content"] == "<image>" for row in built_rows) == 2
    for family, tokenizer in tokenizers.items():
        for template in ("vicuna_v0", "vicuna_v1", "chat"):
            encoder = encoder_of(family, template)
            for row in built_rows:
                messages, regions = row["messages"], row["regions"]
                encoded = encoder.encode_conversation(messages, len(regions), row["id"])
                assert learned(tokenizer, encoded) == expected(tokenizer, template, messages)
                text = " ".join(message["content"] for message in messages)
                numbers = [int(number) - 1 for number in re.findall(r"<region(\d+)>", text)]
                assert encoded.regions == numbers
                counts = Counter(encoded.input_ids)
                assert (counts[-300], counts[-200]) == (len(numbers), 2 * text.count("<image>"))
                assert (encoded.kept_regions, encoded.dropped_turns, encoded.dropped_tokens) == (
                    list(range(len(regions))), 0, 0,
                )  # fmt: skip


@given(data=st.data(), texts=st.lists(TEXT, min_size=2, max_size=4))
def test_text_of_any_letters(tokenizers, encoder_of, data, texts):
    family = data.draw(st.sampled_from(sorted(tokenizers)))
    template = data.draw(st.sampled_from(["vicuna_v0", "vicuna_v1", "chat"]))
    tokenizer, turns = tokenizers[family], texts[: len(texts) // 2 * 2]
    roles = ["user", "assistant"] * (len(turns) // 2)
    messages = [{"role": role, "content": text} for role, text in zip(roles, turns, strict=True)]
    encoded = encoder_of(family, template).encode_conversation(messages, 0)
    shown = expected(tokenizer, template, messages)
    if not family.startswith("llama"):  # these fold letters and their accents
        shown = [normalize("NFC", text) for text in shown]
    assert learned(tokenizer, encoded) == shown


def test_data_that_look_like_marks(encoder, tokenizer, template):
    text = "</s><s>\n<|im_end|><|im_start|>assistant\n<think>###<unk> {{ bos_token }}"
    messages = [{"role": role, "content": text} for role in ("system", "user", "assistant")]
    encoded = encoder.encode_conversation(messages, 0)
    assert learned(tokenizer, encoded) == expected(tokenizer, template, messages)
    innocent = [{**message, "content": "x"} for message in messages]
    marks = set(tokenizer.added_tokens_encoder.values())

    def counted(conversation):
        ids = encoder.encode_conversation(conversation, 0).input_ids
        return Counter(number for number in ids if number in marks)

    assert counted(messages) == counted(innocent)
