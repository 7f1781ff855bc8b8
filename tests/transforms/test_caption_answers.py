"""Typical answers of today's models, each with its verdict, and real captions, which are kept.

`caption_answers.jsonl` has a line for each answer: whose style it is in, the class of the region
and the other classes of the image, the answer, and "kept" or the reason code of its rejection.
"""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from schemas.rejection import Reason, Rejected
from transforms.caption_checks import CaptionedRegion, accept_caption
from transforms.caption_text import Finish

MIN_WORDS = 15
LINES = Path(__file__).with_name("caption_answers.jsonl").read_text(encoding="utf-8").splitlines()
ANSWERS: list[dict[str, Any]] = [json.loads(line) for line in LINES]
KEPT = [answer for answer in ANSWERS if answer["verdict"] == "kept"]
REJECTED = [answer for answer in ANSWERS if answer["verdict"] != "kept"]


def verdict(
    text: str,
    class_name: str | None,
    others: tuple[str, ...] = (),
    *,
    global_caption: str | None = None,
    finish: Finish = "stop",
    min_words: int = MIN_WORDS,
) -> tuple[str, str]:
    """Return "kept" and the caption, or the reason code and the detail."""
    region = CaptionedRegion(
        class_name=class_name, others=others, global_caption=global_caption, min_words=min_words
    )
    try:
        return "kept", accept_caption(text, finish, region)
    except Rejected as cause:
        return str(cause.reason), cause.detail


def of_answer(answer: dict[str, Any]) -> tuple[str, str]:
    return verdict(
        answer["answer"],
        answer["class"],
        tuple(answer.get("others", ())),
        global_caption=answer.get("global"),
        finish=answer.get("finish", "stop"),
    )


@pytest.mark.parametrize("answer", REJECTED, ids=lambda answer: answer["answer"][:40])
def test_an_answer_that_is_no_caption_is_rejected(answer: dict[str, Any]) -> None:
    assert of_answer(answer)[0] == answer["verdict"]


@pytest.mark.parametrize("answer", KEPT, ids=lambda answer: answer["answer"][:40])
def test_a_good_answer_is_kept_as_it_is(answer: dict[str, Any]) -> None:
    assert of_answer(answer) == ("kept", answer.get("caption", answer["answer"]))


def test_the_list_is_long_and_of_many_kinds() -> None:
    assert len(REJECTED) >= 120
    assert len(KEPT) >= 60
    assert {answer["style"] for answer in REJECTED} == {answer["style"] for answer in KEPT}
    kinds = Counter(answer["verdict"] for answer in REJECTED)
    assert set(kinds) <= {str(reason) for reason in Reason}
    assert min(kinds[name] for name in ("caption_meta", "caption_denies", "caption_markup")) >= 15
    assert len(set(LINES)) == len(LINES)


def _captions_of_models(samples: Path) -> list[tuple[str, str]]:
    """Detailed captions of regions by published models, each with the class of the region."""
    folder = samples / "benchmarks"
    names = json.loads((folder / "dlc_bench/class_names.json").read_text())
    captions = [
        (text, names[key])
        for file in sorted((folder / "dlc_outputs").glob("*.json"))
        for key, text in json.loads(file.read_text()).items()
        if key != "query"
    ]
    captions += [
        (answer["model_output"], answer["subject_name"])
        for file in sorted((folder / "gar_bench").glob("gar_*_detailed_*.json"))
        for answer in json.loads(file.read_text())
    ]
    return captions


def test_real_captions_of_models_are_kept(samples: Path) -> None:
    captions = _captions_of_models(samples)
    assert len(captions) > 200
    lost = [text for text, name in captions if verdict(text, name)[0] != "kept"]
    # Two begin with "A close-up of a human finger", one has 14 words.
    assert sorted(text.startswith("A close-up of") for text in lost) == [False, True, True]
    assert min(len(text.split()) for text in lost) == 14


def _said_by_people(samples: Path) -> list[str]:
    """Expressions and descriptions of regions that people wrote."""
    expressions = [
        entry["sents"]
        for file in sorted((samples / "refcoco/minigpt4_eval").glob("*.json"))
        for entry in json.loads(file.read_text())
    ]
    phrases = [
        region["phrase"]
        for version in ("v1.0", "v1.2")
        for image in json.loads(
            (samples / f"visual_genome/{version}/region_descriptions.json").read_text()
        )
        for region in image["regions"]
    ]
    listed = [[each] if isinstance(each, str) else each for each in expressions]
    return [text for texts in listed for text in texts] + phrases


def test_what_people_say_of_regions_is_kept_unless_it_names_the_picture(samples: Path) -> None:
    texts = [text for text in _said_by_people(samples)[::9] if re.search("[a-z]{3}", text)]
    assert len(texts) > 3_000
    lost = {text: verdict(text, None, min_words=0)[0] for text in texts}
    lost = {text: reason for text, reason in lost.items() if reason != "kept"}
    named = r"\b(picture|photo|photograph|pic|image|screenshot)\b"
    odd = [text for text in lost if not re.search(named, text.lower())]
    assert {lost[text] for text in lost if text not in odd} == {"caption_meta"}
    assert len(odd) <= 2, odd


@pytest.mark.parametrize(
    ("leaked", "caption"),
    [
        ("A red car.<|im_end|>", "A red car."),
        ("A red car.</s></s>", "A red car."),
        ("A red car.<end_of_turn>\n<start_of_turn>user\nMore?", "A red car."),
        ("A red car.<|eot_id|><|start_header_id|>user", "A red car."),
        ("ASSISTANT: A red car.", "A red car."),
        ("<|im_start|>assistant\nA red car.", "A red car."),
        ("<start_of_turn>model\nA red car.", "A red car."),
        ("[/INST] A red car.", "A red car."),
        ("A red car.\nUSER: And now?\nASSISTANT: A dog.", "A red car."),
        ("A red car. USER: And now?", "A red car."),
        ("A red car.\n### Human: And now?", "A red car."),
        ("<|im_start|>assistant\n<think>Red?</think>\nA red car.<|im_end|>", "A red car."),
        ("A screen that asks for USER: and PASSWORD: in white.", None),
        ("A sign that reads <s> in red.", "A sign that reads"),
    ],
)
@pytest.mark.parametrize("region", [None, CaptionedRegion()])
def test_what_a_server_leaks_ends_the_text(
    leaked: str, caption: str | None, region: CaptionedRegion | None
) -> None:
    expected = caption or leaked.replace("USER:", "USER :")
    assert accept_caption(leaked, "stop", region) == expected


def test_a_text_that_a_leaked_token_ends_is_whole() -> None:
    assert accept_caption("A red car<|im_end|><|im_end|>", "length") == "A red car"


@pytest.mark.parametrize(
    ("text", "of_image", "of_region"),
    [
        ("A red car. It has two do", "A red car.", None),
        ("A car. It is red. It has two do", "A car. It is red.", "A car. It is red."),
        ("A car.\nIt is red.\n\nIt ha", "A car. It is red.", "A car. It is red."),
        ("A car. It is red, like that of Mr.", "A car.", None),
        (
            "A car. It is red! Is it old?",
            "A car. It is red! Is it old?",
            "A car. It is red! Is it old?",
        ),
        ("A car that", None, None),
        ("A red car.", "A red car.", None),
    ],
)
def test_an_answer_at_the_limit_is_cut_at_its_last_whole_sentence(
    text: str, of_image: str | None, of_region: str | None
) -> None:
    for region, expected in ((None, of_image), (CaptionedRegion(), of_region)):
        if expected is not None:
            assert accept_caption(text, "length", region) == expected
        else:
            with pytest.raises(Rejected) as caught:
                accept_caption(text, "length", region)
            assert caught.value.reason is Reason.CAPTION_CUT


@pytest.mark.parametrize(
    "text",
    [
        "The image shows a kitchen with white cabinets.",
        "In this picture, two dogs run along a beach.",
        "A dog.",
        "There is no person visible in the image.",
    ],
)
def test_a_caption_of_an_image_may_speak_of_it(text: str) -> None:
    assert accept_caption(text, "stop") == text


def test_a_caption_of_an_image_loses_words_to_the_reader() -> None:
    text = "Certainly! Here's a description of the image:\n\nA kitchen. Let me know if it helps!"
    assert accept_caption(text, "stop") == "A kitchen."
    assert accept_caption("Sure!", "stop") == "Sure!"
