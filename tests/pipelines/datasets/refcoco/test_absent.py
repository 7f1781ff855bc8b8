"""Expressions of other images: held against the real val files and real refs by a second reading.

Where categories are not known, a negative shares no word with any expression of the image. Where
they are known, no annotation of the image has its category. Pictures are empty stand-ins: only
their names are read.

Length: one reading serves the three val files, the refs and the files that are drawn.
"""

import json
import pickle
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from pipelines.datasets.catalog import CATALOG
from pipelines.datasets.spec import SourceRequest
from pipelines.plan import make_plan
from pipelines.recipes.recipe import Recipe
from pipelines.storage.files import FileStore
from prompts.trained_text import trained_text
from schemas.item import AbsentExpression
from schemas.source import SourceImage, SplitInput

Absent = dict[int, tuple[AbsentExpression, ...]]  # by image
Sentences = dict[int, list[str]]

FILES = {
    "refcoco": "refcoco_val.json",
    "refcoco_plus": "refcoco+_val.json",
    "refcocog": "refcocog_val.json",
}
BOUNDS = {"refcocog": 0.04, "refcoco": 0.04, "refcoco_plus": 0.02}  # of classes of length


def listed(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Words of places, comparisons and numbers, as a reader finds them in the files of val.
RELATIVE = listed(
    """left right middle center front back behind top bottom upper lower corner side far farthest
    near nearest closest closer next edge background foreground first second third fourth last
    big bigger biggest small smaller smallest tall taller tallest short shorter shortest large
    larger largest little long longer longest dark darker darkest light lighter lightest most least
    one two three four half part other another leftmost rightmost front row facing all only both
    not no without picture object thing"""
)
FUNCTION_WORDS = listed(
    """a an and are as at be been by for from has have he her him his i in into is it its me my of
    on one or our s she t that the their them there these they this to was were which while who
    whose with you your we us two other near between behind not under over no out up both inside but
    had did does where those did d ll m re ve am what"""
)
PEOPLE = listed(
    """man men woman women boy boys girl girls guy guys person people lady ladies kid kids child
    children player batter catcher umpire he she dude shirt jacket pants"""
)


def words(text: str) -> set[str]:
    return set(re.findall(r"[^\W\d_]+", text.lower()))


def content(texts: list[str]) -> set[str]:
    """The content words of texts, each also without an ending `s` ("grass" has none)."""
    named = set().union(*map(words, texts)) - FUNCTION_WORDS
    return named | {re.sub("(?<!s)s$", "", word) for word in named}


def split_of(name: str, root: Path, *, evaluation: bool = False, **options: Any) -> SplitInput:
    request = SourceRequest(name=name, **options)
    recipe = Recipe(sources=(request,), evaluation=evaluation)
    (split,) = make_plan(recipe, str(root), "unused").splits
    return split


def absent_in(split: SplitInput) -> Absent:
    entries = CATALOG[split.source].parse(split, FileStore())
    images = [entry for entry in entries if isinstance(entry, SourceImage)]
    return {int(image.image.image_id): image.absent for image in images}


def image_number(record: dict[str, Any]) -> int:
    return int(record["img_id"].split("_")[2])


@pytest.fixture(scope="module")
def flat_files(samples) -> dict[str, list[dict[str, Any]]]:
    """The records of each real val file."""
    folder = samples / "refcoco" / "minigpt4_eval"
    return {name: json.loads((folder / file).read_bytes()) for name, file in FILES.items()}


@pytest.fixture(scope="module")
def pictures(flat_files, made_once):
    """A data root with the pictures of all val files."""

    def make(root: Path) -> None:
        folder = root / "coco" / "train2014"
        folder.mkdir(parents=True)
        for number in {image_number(each) for records in flat_files.values() for each in records}:
            (folder / f"COCO_train2014_{number:012}.jpg").write_bytes(b" ")

    return made_once("refcoco_pictures", make)


@pytest.fixture(scope="module")
def flat_split(flat_files, pictures, tmp_path_factory):
    """Makes the split of a flat file."""

    def make(
        name: str, records: list[dict[str, Any]] | None = None
    ) -> tuple[SplitInput, Sentences]:
        records = records or flat_files[name]
        path = tmp_path_factory.mktemp(name) / "val.json"
        path.write_text(json.dumps(records), encoding="utf-8")
        sentences: Sentences = defaultdict(list)
        for record in records:
            sentences[image_number(record)].append(record["sents"])
        return split_of(name, pictures, paths={"val": str(path)}), sentences

    return make


@pytest.fixture(scope="module", params=FILES)
def real(request, flat_split):
    """What each image of a real val file is given, and the file's sentences by image."""
    split, sentences = flat_split(request.param)
    return absent_in(split), sentences


def test_an_image_has_as_many_as_sentences(real):
    absent, sentences = real
    assert absent.keys() == sentences.keys()
    full = sum(len(absent[number]) == len(set(texts)) for number, texts in sentences.items())
    empty = sum(not expressions for expressions in absent.values())
    assert empty < 0.04 * len(absent)  # a ref of theirs names no known thing
    assert full > 0.6 * len(absent)  # the others have more, as repeats count where refs differ
    for number, expressions in absent.items():
        assert not expressions or len(set(sentences[number])) <= len(expressions)
        assert len(expressions) <= len(sentences[number])
        assert len({expression.text for expression in expressions}) == len(expressions)


def test_a_negative_shares_no_word_with_the_image(real):
    absent, sentences = real
    for number, expressions in absent.items():
        known = content(sentences[number])
        for expression in expressions:
            assert not content([expression.text]) & known, (expression.text, sentences[number])


def test_no_person_is_denied_where_people_are(real):
    absent, sentences = real
    for number, expressions in absent.items():
        if any(PEOPLE & words(text) for text in sentences[number]):
            assert not any(PEOPLE & words(expression.text) for expression in expressions)


def test_none_is_relative(real):
    absent, _ = real
    for expression in {expression.text for several in absent.values() for expression in several}:
        assert not words(expression) & RELATIVE, expression
        assert len(expression.split()) >= 3, expression


def test_each_is_a_sentence_of_another_image(real):
    absent, sentences = real
    elsewhere: dict[str, set[int]] = defaultdict(set)
    for number, texts in sentences.items():
        for text in texts:
            elsewhere[text].add(number)
    for number, expressions in absent.items():
        for expression in expressions:
            assert elsewhere[expression.text] - {number}
            assert f"_{number:012}_" not in expression.id


def test_many_different_ones_are_used(real):
    absent, _ = real
    used = Counter(expression.id for several in absent.values() for expression in several)
    assert len(used) > 900
    assert used.most_common(1)[0][1] < 0.017 * used.total()  # it is of a rare length


def shown_words(text: str) -> int:
    """The number of words of a text as questions show it."""
    return len(trained_text(text).split())


def length_classes(texts: Iterable[str]) -> dict[str, float]:
    """The shares of classes of length, among texts of three words and more."""
    counts: Counter[str] = Counter()
    for text in texts:
        number = shown_words(text)
        if number >= 3:
            longer = "5-8" if number < 9 else "9-10" if number < 11 else "11+"
            counts["3-4" if number < 5 else longer] += 1
    return {name: count / counts.total() for name, count in counts.items()}


@pytest.mark.parametrize(("name", "bound"), BOUNDS.items())
def test_negatives_are_as_long_as_sentences(name, bound, flat_split):
    """The bound is the greatest difference of two shares; most short editions lack long ones."""
    split, sentences = flat_split(name)
    absent = absent_in(split)
    positive = length_classes(text for texts in sentences.values() for text in texts)
    negative = length_classes(each.text for several in absent.values() for each in several)
    assert positive.keys() == negative.keys() == {"3-4", "5-8", "9-10", "11+"}
    for length, share in positive.items():
        assert abs(negative[length] - share) < bound, (length, negative, positive)


def test_each_sentence_has_a_negative_of_its_length(flat_split):
    split, sentences = flat_split("refcocog")
    longer = same = 0
    for number, expressions in absent_in(split).items():
        lengths = Counter(shown_words(text) for text in set(sentences[number]))
        longer += sum(count for length, count in lengths.items() if length >= 3)
        negative = Counter(shown_words(expression.text) for expression in expressions)
        same += (lengths & negative).total()
    assert same > 0.85 * longer


@pytest.mark.parametrize("name", FILES)
def test_the_order_of_the_file_changes_nothing(name, flat_split, flat_files):
    split, _ = flat_split(name)
    turned, _ = flat_split(name, flat_files[name][::-1])
    assert absent_in(turned) == absent_in(split)


def test_evaluations_have_none(flat_split):
    split, _ = flat_split("refcocog")
    assert not any(absent_in(replace(split, evaluation=True)).values())


@pytest.fixture(scope="module")
def refs(samples, tmp_path_factory):
    """Makes a split of the real refs and of further images, and the files that it is read from.

    The real refs are about two images. A further image has one real box of COCO, with three
    sentences that name its category.
    """
    real_refs = json.loads((samples / "refcoco" / "tfds_ref_coco_subset.json").read_bytes())
    tiny = samples / "coco" / "tinycoco" / "annotations" / "instances_val2017.json"
    coco = json.loads(tiny.read_bytes())
    named = {category["id"]: category["name"] for category in coco["categories"]}
    content = list(real_refs["coco_anns"].values())

    def make(*extra: dict[str, Any]) -> tuple[SplitInput, dict[str, list[Any]]]:
        root = tmp_path_factory.mktemp("refs")
        (root / "refcoco").mkdir()
        wanted = [
            ref | {"split": "train"}
            for ref in real_refs["ref"]
            if (ref["dataset"], ref["dataset_partition"]) == ("refcoco", "unc")
        ]
        annotations = [one for each in content for one in each["anns"]] + list(extra)
        images = [each["info"] for each in content]
        for position, box in enumerate(coco["annotations"]):
            number, name = 900_000 + position, named[box["category_id"]]
            images.append({**images[0], "id": number, "file_name": f"{number:012}.jpg"})
            annotations.append({**box, "id": 10**7 + position, "image_id": number})
            sents = [f"a {name} of metal", f"left {name}", name]
            wanted.append(
                {
                    "ref_id": 10**6 + position,
                    "ann_id": 10**7 + position,
                    "image_id": number,
                    "split": "train",
                    "sentences": [
                        {"sent_id": 10**6 + 3 * position + k, "sent": sent}
                        for k, sent in enumerate(sents)
                    ],
                }
            )
        files = {"images": images, "annotations": annotations, "categories": coco["categories"]}
        (root / "refcoco" / "instances.json").write_text(json.dumps(files), encoding="utf-8")
        (root / "refcoco" / "refs(unc).p").write_bytes(pickle.dumps(wanted, 0))
        pictures = root / "coco" / "train2014"
        pictures.mkdir(parents=True)
        for image in images:
            (pictures / f"COCO_train2014_{image['id']:012}.jpg").write_bytes(b" ")
        return split_of("refcoco", root, splits=("train",)), files | {"refs": wanted}

    return make


def test_no_annotation_of_the_image_has_the_category(refs):
    split, files = refs()
    names = {category["id"]: category["name"] for category in files["categories"]}
    categories = {box["id"]: names[box["category_id"]] for box in files["annotations"]}
    shown: dict[int, set[str]] = defaultdict(set)
    for box in files["annotations"]:
        shown[box["image_id"]].add(names[box["category_id"]])
    owner = {
        f"{ref['ref_id']}/{sentence['sent_id']}": (categories[ref["ann_id"]], sentence["sent"])
        for ref in files["refs"]
        for sentence in ref["sentences"]
    }
    absent = absent_in(split)
    assert absent.keys() == {ref["image_id"] for ref in files["refs"]}
    assert all(absent.values())
    for number, expressions in absent.items():
        for expression in expressions:
            category, text = owner[expression.id]
            assert (text, category in shown[number]) == (expression.text, False)
            assert not any(name in text for name in shown[number])


def test_a_crowd_counts_as_well(refs):
    split, files = refs()
    number = files["refs"][0]["image_id"]
    (first, *_) = absent_in(split)[number]
    names = {category["name"]: category["id"] for category in files["categories"]}
    name = first.text.removeprefix("a ").removesuffix(" of metal")
    crowd = {**files["annotations"][0], "id": 9, "category_id": names[name], "iscrowd": 1}
    split, _ = refs(crowd)
    expressions = absent_in(split)[number]
    assert expressions
    assert not any(name in expression.text for expression in expressions)


def test_a_box_of_unknown_category_leaves_none(refs):
    split, files = refs()
    bad = {**files["annotations"][0], "id": 9, "category_id": 12_345}
    assert absent_in(split)[bad["image_id"]]
    split, _ = refs(bad)
    absent = absent_in(split)
    assert absent[bad["image_id"]] == ()
    assert sum(map(bool, absent.values())) == len(absent) - 1
