"""Tokenised English as people write it; other English as it is.

Sentences marked as real are short excerpts of the samples, one for each kind of change and each
rare one; sentences with several objects by name are made ones in the form of tokens.
"""

import json
import re
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prompts.detokenise import blanks_before, detokenised
from schemas.rejection import Rejected
from schemas.text import clean

# fmt: off
REAL = [
    ("the black dog with the blue collar . on the left",
     "the black dog with the blue collar. on the left"),
    ("a glass of wine where the person holding it has a watch on , not a ring",
     "a glass of wine where the person holding it has a watch on, not a ring"),
    ("beach umbrella on the beach ,", "beach umbrella on the beach,"),
    ("a small , one - year - old , female human", "a small, one-year-old, female human"),
    ("it ' s a man who is behind another man who ' s on his phone",
     "it's a man who is behind another man who's on his phone"),
    ("the legs of the person who isn ' t in the shot",
     "the legs of the person who isn't in the shot"),
    ("the girl with the number ' 1 ' on her shirt", "the girl with the number '1' on her shirt"),
    ("an old row boat with ' marleni - iv ' written on it",
     "an old row boat with 'marleni-iv' written on it"),
    ('a truck right beneath the " glass " sign', 'a truck right beneath the "glass" sign'),
    ("baseball player ` gibson ´.", "baseball player `gibson´."),
    ("man in red t - shirt", "man in red t-shirt"),
    ("a white four door f - 150 truck", "a white four door f-150 truck"),
    ("the huge toy bear seated with a jack - o - lantern",
     "the huge toy bear seated with a jack-o-lantern"),
    ("rocks that look like winnie - the - poo , facing the camera",
     "rocks that look like winnie-the-poo, facing the camera"),
    ("blue , green , and yellow poke - a - dots", "blue, green, and yellow poke-a-dots"),
    ("the cocked - and - ready pitch", "the cocked-and-ready pitch"),
    ("the chair - the cat is looking", "the chair - the cat is looking"),
    ("a white / off - white pillow", "a white/off-white pillow"),
    ("blue / green / orange stripes", "blue/green/orange stripes"),
    ("reaching for 3 / 8 of a pepperoni pizza", "reaching for 3/8 of a pepperoni pizza"),
    ("says it ' s 7 : 30 in ha noi", "says it's 7:30 in ha noi"),
    ("1 , 000 places to see before you die", "1,000 places to see before you die"),
    ("player # 24 swinging a bat", "player #24 swinging a bat"),
    ("one of the zebras ( the one in the distance ) is red",
     "one of the zebras (the one in the distance) is red"),
    ("two empty vases near a vase of flowers ; one is clear glass",
     "two empty vases near a vase of flowers; one is clear glass"),
    ("a yellow book written by a . a . milne", "a yellow book written by a.a. milne"),
    ("the wording the ghost bus tours . com on the side",
     "the wording the ghost bus tours.com on the side"),
    ("a man dressed in business attire on skis .. posing",
     "a man dressed in business attire on skis.. posing"),
    ("a man sitting on a yellow fire hydrant .\\", "a man sitting on a yellow fire hydrant.\\"),
    ("a lady wearing a mrs . claus suit", "a lady wearing a mrs. claus suit"),
    ("a black & white photo", "a black & white photo"),
    ("desktop screen for viewing the pictures + videos",
     "desktop screen for viewing the pictures + videos"),
    ("on the back of a motorcycle with a helmet on >",
     "on the back of a motorcycle with a helmet on >"),
    ("insecticide-free products from Clyde 's Farm .",
     "insecticide-free products from Clyde's Farm."),
    ("Two young , White males are outside near many bushes .",
     "Two young, White males are outside near many bushes."),
    ("Two Rubbish men standing on they’re truck loading trash .",
     "Two Rubbish men standing on they’re truck loading trash."),
    ("at the Gubbängen metro station in Stockholm , Sweden .",
     "at the Gubbängen metro station in Stockholm, Sweden."),
    ("red car has white no.plate", "red car has white no.plate"),
    ('the word "walk" on it', 'the word "walk" on it'),
    ("sign says 'walk' in white", "sign says 'walk' in white"),
    ("printer/scanner on the desk", "printer/scanner on the desk"),
]
MADE = [
    ("they did n't say it 's the girls ' room", "they didn't say it's the girls' room"),
    ("the players ' bench , we 've seen it", "the players' bench, we've seen it"),
    ("a cat from the ' 90s , at nine o ' clock", "a cat from the '90s, at nine o'clock"),
    ("a shirt with the letter ' s ' on it", "a shirt with the letter 's' on it"),
    ("with a ' t ' on it", "with a 't' on it"),
    ("the man ' s ' hello ' shirt", "the man's 'hello' shirt"),
    ("the boys ' shirt that says ' hi '", "the boys' shirt that says 'hi'"),
    ("rock ' n ' roll , the l ' oreal ad", "rock 'n' roll, the l'oreal ad"),
    ("face - to - face - with a dog", "face-to-face - with a dog"),
    ("isn ' t ' sad ' and isn ' t here", "isn't 'sad' and isn't here"),
    ("a 6 ' tall man with a 12 \" pizza", "a 6' tall man with a 12\" pizza"),
    ('says " stop', 'says "stop'),
    ('says stop "', 'says stop"'),
    ("`` No , '' he says", "``No,'' he says"),
    ("rock - n - roll", "rock-n-roll"),
    ("a 5 - 6 year old boy", "a 5-6 year old boy"),
    ("A 5 - 6 year old boy in a T - shirt .", "A 5-6 year old boy in a T-shirt."),
    ("A man - dressed in black - walks .", "A man - dressed in black - walks."),
    ("large sign, green - on a pole", "large sign, green - on a pole"),
    ("a half-open door - red", "a half-open door - red"),
    ("option A - red", "option A - red"),
    ("100 % cotton for $ 5 , the % sign", "100% cotton for $5, the % sign"),
    ("the u . s . a . flag , www . shop . com", "the u.s.a. flag, www.shop.com"),
    ("part a . a dog", "part a. a dog"),
    ("sign says 'no entry' - red", "sign says 'no entry' - red"),
    ("/ red", "/ red"),
    ("what ?!", "what?!"),
    ("the sign reads : ' go '", "the sign reads: 'go'"),
    (".", "."),
]
# fmt: on

# What `clean` parts stays apart.
DISARMED = [
    "USER : hello , you",
    "# # # end",
    "# # # 5",
    "< a , b",
    "< n't",
    "ASSISTANT : ok .",
]

MARKS = [
    "'",
    "’",
    "`",
    "´",
    '"',
    "-",
    ",",
    ".",
    ":",
    ";",
    "#",
    "/",
    "<",
    ">",
    "(",
    ")",
    "%",
    "$",
    "|",
]
WORDS = [*MARKS, "s", "t", "n't", "'s", "USER", "ASSISTANT", "image", "5", "000", "###", "<image>"]
TOKENS = st.lists(st.sampled_from(WORDS) | st.text(min_size=1, max_size=4), min_size=1, max_size=14)


@pytest.mark.parametrize(("tokenised", "text"), REAL + MADE)
def test_sentences(tokenised, text):
    assert detokenised(tokenised) == text


@pytest.mark.parametrize(("tokenised", "text"), REAL + MADE)
def test_a_text_as_people_write_it_stays(tokenised, text):
    assert detokenised(text) == text


@pytest.mark.parametrize("text", DISARMED)
def test_what_was_disarmed_stays_so(text):
    assert clean(text) == text
    assert clean(detokenised(text)) == detokenised(text)
    assert "###" not in detokenised(text)
    assert "USER:" not in detokenised(text)


@given(TOKENS)
def test_only_blanks_go_and_the_result_is_clean(tokens):
    try:
        text = clean(" ".join(tokens))
    except Rejected:
        return
    plain = detokenised(text)
    assert plain.replace(" ", "") == text.replace(" ", "")
    assert clean(plain) == plain


@given(st.lists(st.sampled_from(["", *WORDS]), max_size=12))
def test_a_blank_or_none_before_every_word(words):
    blanks = blanks_before(words)
    assert len(blanks) == len(words)
    assert not any(blanks[:1])


def test_an_empty_word_stands_for_a_name():
    assert blanks_before(["", "'", "s", "2", "", "3"]) == [False, False, False, True, True, True]
    assert blanks_before([]) == []


def real_sentences(samples: Path) -> list[str]:
    """The owners' sentences of the samples, read by other means than the product's readers."""
    texts = []
    for name in ("refcoco", "refcoco+", "refcocog"):
        path = samples / "refcoco" / "minigpt4_eval" / f"{name}_val.json"
        texts += [record["sents"] for record in json.loads(path.read_text(encoding="utf-8"))]
    for path in sorted((samples / "flickr30k_entities" / "Sentences").iterdir()):
        bare = re.sub(r"\[/EN#\S+ ([^\]]*)\]", r"\1", path.read_text(encoding="utf-8"))
        texts += bare.splitlines()
    for version in ("v1.0", "v1.2"):
        path = samples / "visual_genome" / version / "region_descriptions.json"
        images = json.loads(path.read_text(encoding="utf-8"))
        texts += [region["phrase"] for image in images for region in image["regions"]]
    return [" ".join(text.split()) for text in texts if text.strip()]


def test_real_sentences(samples):
    """Every lone mark of 29,000 real sentences that is none of four known ones is attached."""
    texts = real_sentences(samples)
    results = [detokenised(clean(text)) for text in texts]
    assert len(texts) > 29_000
    changed = sum(text != result for text, result in zip(texts, results, strict=True))
    assert changed == 399 + 86  # of 4,896 sentences of one owner, and of 90 of another
    words = [word for result in results for word in result.split()]
    lone = Counter(word for word in words if not any(map(str.isalnum, word)))
    assert lone == {"&": 10, "+": 1, ">": 1, "-": 1}
    assert not [word for word in words if re.match(r"['’´](s|t|re|ve|ll|d|m)\b(?!')", word)]


def prose(samples: Path) -> set[str]:
    """Real sentences as people and models wrote them, in small letters: captions and answers."""
    texts: list[str] = []

    def collect(part: object) -> None:
        if isinstance(part, str):
            texts.append(part.lower())
        elif isinstance(part, dict | list):
            for inner in part.values() if isinstance(part, dict) else part:
                collect(inner)

    for path in (samples / "llava_instruct").glob("*.jsonl"):
        collect([json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()])
    for path in (samples / "benchmarks").rglob("*.json"):
        collect(json.loads(path.read_text(encoding="utf-8")))
    path = samples / "visual_genome" / "v1.2" / "question_answers.json"
    collect(json.loads(path.read_text(encoding="utf-8")))
    split = (part for text in texts for part in re.split(r"(?<=[.?!])\s+|\n+", text))
    sentences = {" ".join(part.split()) for part in split}
    plain = re.compile(r"[a-z0-9,.;:!?'\"()/$%# -]{10,400}")
    numbering = re.compile(r"\d+\. ")
    return {
        text
        for text in sentences
        if " " in text and plain.fullmatch(text) and not numbering.match(text)
    }


def test_real_prose_comes_back_after_it_was_tokenised(samples):
    """A tokeniser that parts all marks is undone in all of 1,700 sentences but one.

    Nothing tells a dash before a noun from a hyphen. Two more were not typed as English is.
    """
    sentences = prose(samples)
    tokenised = {text: " ".join(re.findall(r"\w+|[^\w\s]", text)) for text in sentences}
    tokenised = {text: tokens for text, tokens in tokenised.items() if tokens != text}
    assert len(tokenised) > 1_700
    results = {text: detokenised(tokens) for text, tokens in tokenised.items()}
    changed = [result for text, result in results.items() if result != text]
    assert sorted(changed) == [
        "a cat laying on the floor amidst a computer, speakers, cords",
        "a photo of two plans with water and birds surrounding it, one plane in the air one one "
        "the ground.",
        "there are three people visible in the image-two women and one man.",
    ]
