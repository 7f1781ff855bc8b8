"""What the sample world says is true: a witness looks at the pictures and the outlines alone.

The witness knows no code that wrote the sentences. It reads colours off the pixels, sizes and
sides off the outlines, and which of two things lies in front off the pixels that both cover.
"""

import json
import pickle
import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as rle

from pipelines.sample_world import flickr30k, llava_pretrain, vcr, visual_genome
from pipelines.sample_world.album import album, picture_bytes
from pipelines.sample_world.scene import World
from pipelines.sample_world.shapes import COLOURS, SHAPES

SMALL = World(seed=0, pictures=64)
SIDES = ("on the left", "on the right", "at the top", "at the bottom", "in the middle")
LIES = ("in front of", "behind", "left of", "right of", "above", "below", "larger than")


def any_of(words) -> str:
    return f"({'|'.join(sorted(words, key=len, reverse=True))})"


NOUN = f"(?:(small|large) )?(?:{any_of(COLOURS)} )?{any_of(SHAPES)}(?: {any_of(SIDES)})?"
ONE = re.compile(NOUN)
TWO = re.compile(f"(?:an?|the) {NOUN} {any_of(LIES)} an? {NOUN}")
NUMBERS = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]


@dataclass
class Seen:
    """A thing as the witness sees it."""

    id: int
    shape: str
    mask: np.ndarray
    box: tuple[float, float, float, float]
    crowd: bool = False
    colour: str = ""


class Witness:
    """All things in one picture."""

    def __init__(self, picture: Image.Image, seen: list[Seen]) -> None:
        red, green, blue = (np.asarray(band, np.int16) for band in picture.convert("RGB").split())
        distances = [abs(red - r) + abs(green - g) + abs(blue - b) for r, g, b in COLOURS.values()]
        self.paint = np.argmin(distances, axis=0)
        self.seen = seen
        for thing in seen:
            ((most, _),) = Counter(self.paint[thing.mask].tolist()).most_common(1)
            thing.colour = list(COLOURS)[most]

    def fits(self, thing: Seen, size: str, colour: str, shape: str, side: str) -> bool:
        """Whether a description is true of a thing; of a crowd it may be, whatever the place."""
        if (shape, colour or thing.colour) != (thing.shape, thing.colour):
            return False
        height, width = thing.mask.shape
        x, y = (thing.box[0] + thing.box[2]) / 2 / width, (thing.box[1] + thing.box[3]) / 2 / height
        true = {
            "": True,
            "small": thing.mask.sum() < 32**2 * 1.03,
            "large": thing.mask.sum() >= 96**2 * 0.97,
            "on the left": x < 1 / 3,
            "on the right": x > 2 / 3,
            "at the top": y < 1 / 3,
            "at the bottom": y > 2 / 3,
            "in the middle": 1 / 3 <= x <= 2 / 3 and 1 / 3 <= y <= 2 / 3,
        }
        return thing.crowd or bool(true[size or ""] and true[side or ""])

    def stands(self, first: Seen, lies: str, second: Seen) -> bool:
        """Whether a relation of two things is true, or may be true of a crowd's members."""
        if first is second or first.crowd or second.crowd:
            return first is not second
        both = first.mask & second.mask
        if lies == "larger than":
            return bool(first.mask.sum() > 1.5 * second.mask.sum())
        if lies in ("in front of", "behind"):
            back, front = (first, second) if lies == "behind" else (second, first)
            shown = self.paint[both].tolist()
            paints = [list(COLOURS).index(thing.colour) for thing in (front, back)]
            return bool(both.any()) and shown.count(paints[0]) >= shown.count(paints[1])
        x, y = (np.array(first.box).reshape(2, 2) - np.array(second.box).reshape(2, 2)).mean(axis=0)
        true = {"left of": x < 0, "right of": x > 0, "above": y < 0, "below": y > 0}
        return bool(true[lies]) and not both.any()

    def meant(self, sentence: str) -> list[int]:
        """Return the ids of all things that a sentence may mean."""
        if pair := TWO.search(sentence):
            words = [word or "" for word in pair.groups()]
            subjects = [thing for thing in self.seen if self.fits(thing, *words[:4])]
            objects = [thing for thing in self.seen if self.fits(thing, *words[5:])]
            return [s.id for s in subjects if any(self.stands(s, words[4], o) for o in objects)]
        (match,) = ONE.findall(sentence)
        return [thing.id for thing in self.seen if self.fits(thing, *match)]

    def true(self, sentence: str) -> bool:
        """Whether a sentence is true of something in the picture that is no crowd."""
        single = {thing.id for thing in self.seen if not thing.crowd}
        return bool(single & set(self.meant(sentence)))


def outline(polygons, height: int, width: int) -> np.ndarray:
    merged = rle.merge(rle.frPyObjects(polygons, height, width))
    return np.asarray(rle.decode(merged), dtype=bool)


def at_scene(scene, oddity: str = "") -> Witness:
    """Return the witness of a scene that it sees drawn; it is told outlines and classes."""
    picture = Image.open(BytesIO(picture_bytes(scene, oddity)))
    seen = []
    for k, thing in enumerate(scene.things):
        polygons = [part.ravel().tolist() for part in thing.parts]
        mask = outline(polygons, scene.height, scene.width)
        seen.append(Seen(k, thing.shape, mask, thing.box, thing.crowd))
    return Witness(picture, seen)


def at_image(path, image, annotations, names) -> Witness:
    """Return the witness of a picture of COCO; the file tells it outlines and classes."""
    seen = []
    for annotation in annotations:
        if not annotation["bbox"][3]:
            continue
        parts, (x, y, width, height) = annotation["segmentation"], annotation["bbox"]
        if annotation["iscrowd"]:
            mask = rle.decode(rle.frPyObjects(parts, *parts["size"])).astype(bool)
        else:
            mask = outline(parts, image["height"], image["width"])
        shape = names[annotation["category_id"]]
        box = (x, y, x + width, y + height)
        seen.append(Seen(annotation["id"], shape, mask, box, bool(annotation["iscrowd"])))
    with Image.open(path / image["file_name"]) as picture:
        return Witness(picture, seen)


@pytest.mark.parametrize(
    "pickled", ["refcoco/refs(unc).p", "refcoco+/refs(unc).p", "refcocog/refs(umd).p"]
)
def test_referring_expressions_are_true_and_mean_one_thing(sample_world, pickled):
    instances = json.loads((sample_world / pickled).with_name("instances.json").read_bytes())
    names = {category["id"]: category["name"] for category in instances["categories"]}
    annotations, refs = defaultdict(list), defaultdict(list)
    for annotation in instances["annotations"]:
        annotations[annotation["image_id"]].append(annotation)
    for ref in pickle.loads((sample_world / pickled).read_bytes()):
        refs[ref["image_id"]].append(ref)
    said = 0
    for image in instances["images"]:
        folder = sample_world / "coco" / "train2014"
        witness = at_image(folder, image, annotations[image["id"]], names)
        for ref in refs.pop(image["id"]):
            for sentence in ref["sentences"]:
                assert witness.meant(sentence["sent"]) == [ref["ann_id"]], sentence
                said += 1
    assert refs == {}
    assert said > 300


def test_what_visual_genome_says_is_true_of_its_boxes():
    for entry in visual_genome.entries(SMALL):
        witness = at_scene(entry.scene, entry.oddity)
        records = visual_genome.records_of(entry)
        for region in records["region_descriptions"]["regions"]:
            phrase = " ".join(region["phrase"].split())
            corners = region["x"], region["y"]
            ends = corners[0] + region["width"], corners[1] + region["height"]
            for words in ONE.findall(phrase):
                held = [t for t in witness.seen if witness.fits(t, *words) and not t.crowd]
                assert any(
                    np.all(np.array(t.box[:2]) >= corners) and np.all(np.array(t.box[2:]) <= ends)
                    for t in held
                ), phrase
            assert witness.true(phrase)
        for record in records["relationships"]["relationships"]:
            one, other = (
                witness.seen[record[end]["object_id"] % 100] for end in ("subject", "object")
            )
            assert witness.stands(one, record["predicate"].lower(), other)
        for record in records["attributes"]["attributes"]:
            colour, *_ = record.get("attributes", [None])
            assert colour in (None, witness.seen[record["object_id"] % 100].colour)


def test_captions_of_flickr30k_are_true_of_their_chains():
    for shot in album("flickr30k", SMALL, flickr30k.ODDITIES):
        witness = at_scene(shot.scene, shot.oddity)
        for caption in flickr30k.captions(shot):
            plain = re.sub(r"\[\S+ ([^]]*)\]", r"\1", caption).lower()
            if TWO.search(plain):
                assert witness.true(plain)
            for chain, phrase in re.findall(r"\[/EN#(\d+)\S* ([^]]*)\]", caption):
                index = (int(chain) - 1) % 20
                if match := ONE.search(phrase.lower()):
                    words = [word or "" for word in match.groups()]
                    assert witness.fits(witness.seen[index], *words)
                elif "shape" in phrase:
                    assert NUMBERS.index(phrase.lower().split()[0]) == len(witness.seen)


def test_of_vcrs_four_choices_the_labelled_one_alone_is_true(sample_world):
    shots = album("vcr", SMALL, vcr.ODDITIES, vcr.FRAMES)
    witnesses = {f"{vcr.stem(shot)}.jpg": at_scene(shot.scene, shot.oddity) for shot in shots}
    asked: Counter[str] = Counter()
    for path in sorted((sample_world / "vcr").glob("*.jsonl")):
        for text in path.read_text(encoding="utf-8").splitlines():
            line: dict[str, Any] = json.loads(text)
            asked[line["question"][1]] += 1
            seen = witnesses[line["img_fn"]].seen
            answers, reasons = line["answer_choices"], line["rationale_choices"]
            true, why = answers[line["answer_label"]], reasons[line["rationale_label"]]
            if line["question"][1] == "color":
                (index,) = line["question"][3]
                assert [answer[2] == seen[index].colour for answer in answers].count(True) == 1
                assert true[2] == why[5] == seen[index].colour
                assert [reason[5] for reason in reasons].count(true[2]) == 1
            elif line["question"][1] == "does":
                one, other = (seen[line["question"][k][0]] for k in (2, 5))
                lies = {" ".join(answer[2:-2]) for answer in answers} & set(LIES)
                held = [s for s in lies if witnesses[line["img_fn"]].stands(one, s, other)]
                assert [" ".join(true[2:-2])] == held
                depth = held[0] in ("in front of", "behind")
                assert bool((one.mask & other.mask).any()) == depth
                assert ("covers" in why) == depth
                if depth:
                    front = one if held[0] == "in front of" else other
                    assert seen[why[0][0]] is front
            elif line["question"][1] == "many":
                shape = seen[line["question"][4][0]].shape
                corners = {"triangle": 3, "square": 4, "diamond": 4, "pentagon": 5, "hexagon": 6}
                assert true[2] == why[-4] == str(corners[shape])
                assert " ".join(why[1:-5]) == shape
    assert set(asked) == {"color", "does", "many", "are"}
    assert min(asked.values()) > 10


def test_answers_of_llava_are_true(sample_world):
    file = json.loads((sample_world / "llava" / "llava_instruct_150k.json").read_bytes())
    instances = json.loads(
        (sample_world / "coco" / "annotations" / "instances_train2017.json").read_bytes()
    )
    names = {category["id"]: category["name"] for category in instances["categories"]}
    images = {image["file_name"]: image for image in instances["images"]}
    annotations = defaultdict(list)
    for annotation in instances["annotations"]:
        annotations[annotation["image_id"]].append(annotation)
    folder, witnesses = sample_world / "coco" / "train2017", {}
    for name, image in images.items():
        witnesses[name] = at_image(folder, image, annotations[image["id"]], names)
    checked: Counter[str] = Counter()
    for record in file:
        witness = witnesses[record["image"]]
        single = [thing for thing in witness.seen if not thing.crowd]
        for turn in record["conversations"][1::2]:
            answer = turn["value"]
            if counted := re.fullmatch(r"I count (\w+) single things?\.", answer):
                checked["count"] += 1
                assert NUMBERS.index(counted[1]) == len(single)
            elif coloured := re.fullmatch(r"The (.*) is (\w+)\.", answer):
                checked["colour"] += 1
                (one,) = [t for t in witness.seen if t.id in witness.meant(coloured[1])]
                assert one.colour == coloured[2]
            elif asked := re.fullmatch(r"(Yes|No), there is (?:no|an?) (.*)\.", answer):
                checked[asked[1]] += 1
                assert (asked[2] in {t.shape for t in witness.seen}) == (asked[1] == "Yes")
            elif "larger area" in answer:
                checked["area"] += 1
                ordered = sorted(single, key=lambda thing: thing.mask.sum())
                nouns = re.findall(f"{any_of(COLOURS)} {any_of(SHAPES)}", answer)
                assert nouns == [(t.colour, t.shape) for t in (ordered[-1], ordered[0])]
            elif "one sees" in answer:
                checked["described"] += 1
                first, _, rest = answer.partition("\n\n")
                nouns = re.findall(f"an? {any_of(COLOURS)} {any_of(SHAPES)}", first)
                assert Counter(nouns) == Counter((t.colour, t.shape) for t in single)
                relations = rest.lower().replace(" is ", " ").split(".")[:-1]
                assert all(witness.true(relation) for relation in relations)
    assert min(checked.values()) >= 20
    assert 0.5 < checked["Yes"] / checked["No"] < 2
    assert len(checked) == 6


def test_captions_for_pretraining_are_true():
    shots = album("llava_pretrain", SMALL, llava_pretrain.ODDITIES, llava_pretrain.FRAMES)
    for shot in shots:
        witness, caption = at_scene(shot.scene, shot.oddity), llava_pretrain.caption(shot)
        assert not ONE.search(caption) or witness.true(caption)
        if number := re.match(r"(\w+) shapes? on", caption):
            assert NUMBERS.index(number[1]) == len(witness.seen)
