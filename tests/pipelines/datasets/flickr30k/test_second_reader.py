"""Flickr30k Entities read a second time, by other means, against what was built of it.

The reader below knows the owner's format and the record, not the parser: a phrase is found by
splitting at blanks, a box by walking a DOM. Faults that such builds are known to have are put
into the code one by one; each must be seen.

Length: the reader, its comparison and the faults it must see prove something only together.
"""

import re
import shutil
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any, NamedTuple
from xml.dom import minidom

import numpy as np
import pytest
from datasets import load_dataset
from msgspec.structs import replace
from PIL import Image

from pipelines.datasets.flickr30k import boxes as flickr30k_xml
from pipelines.datasets.flickr30k import photos
from pipelines.verify import verify
from prompts import dialogue, multi_region_caption
from schemas.ledger import Stage
from schemas.rejection import Kind
from schemas.style import Style
from tests.pipelines.places import same_place

SIDES = ("xmin", "ymin", "xmax", "ymax")
Box = tuple[float, ...]


class Caption(NamedTuple):
    """A sentence, and its phrases with the boxes of each; phrases without a box are left out."""

    text: str
    phrases: list[tuple[str, list[Box]]]

    def boxes(self) -> list[Box]:
        """Every box once, in order of first mention."""
        return list(dict.fromkeys(box for _, boxes in self.phrases for box in boxes))

    def named(self) -> list[tuple[frozenset[Box], str]]:
        """What is asked about by name: the boxes of a phrase together, and the phrase's letters."""
        texts_of: dict[frozenset[Box], str] = {}
        for text, boxes in self.phrases:
            texts_of.setdefault(frozenset(boxes), blankless(text))
        return [(boxes, text) for boxes, text in texts_of.items() if len(boxes) <= 10]


class SecondReader:
    """What the owner's two files say of one picture."""

    def __init__(self, root: Path, name: str) -> None:
        self.rejected: Counter[tuple[str, str]] = Counter()
        self.boxes: dict[Box, set[str]] = defaultdict(set)
        document = minidom.parse(str(root / "Annotations" / f"{name}.xml"))
        self.size = int(texts(document, "width")[0]), int(texts(document, "height")[0])
        objects = document.getElementsByTagName("object")
        self.objects = len(objects)
        for element in objects:
            if not element.getElementsByTagName("bndbox"):
                self.rejected["annotation", "no_regions"] += 1
                continue
            left, top, right, bottom = (int(texts(element, s)[0]) for s in SIDES)
            box = left - 1, top - 1, right, bottom
            if box in self.boxes:
                self.rejected["annotation", "duplicate"] += 1
            self.boxes[box] |= set(texts(element, "name"))
        lines = (root / "Sentences" / f"{name}.txt").read_text(encoding="utf-8").split("\n")
        assert lines.pop() == ""
        captions = [self.caption(line) for line in lines]
        self.captions = [caption for caption in captions if caption.phrases]
        self.sentences = len(captions)
        self.rejected["sentence", "no_regions"] += len(captions) - len(self.captions)
        mentioned = {box for caption in self.captions for box in caption.boxes()}
        self.rejected["annotation", "not_used"] += len(self.boxes.keys() - mentioned)

    def caption(self, line: str) -> Caption:
        words: list[str] = []
        phrases: list[tuple[str, list[Box]]] = []
        chain, begun = "", 0
        for word in line.split():
            if word.startswith("[/EN#"):
                chain, begun = word[5:].split("/")[0], len(words)
                continue
            words.append(word.removesuffix("]"))
            if word.endswith("]"):
                boxes = sorted(box for box, chains in self.boxes.items() if chain in chains)
                if boxes:
                    phrases.append((" ".join(words[begun:]), boxes))
        return Caption(" ".join(words), phrases)


def blankless(text: str) -> str:
    """A text as it is compared: blanks around its marks are ours."""
    return "".join(text.split())


def texts(node: Any, name: str) -> list[str]:
    return [str(node_.firstChild.data) for node_ in node.getElementsByTagName(name)]


class Asked(NamedTuple):
    """A record as far as it is compared."""

    picture: str
    boxes: list[Box]
    requests: list[str]
    answers: list[str]


def asked_in(row: dict[str, Any]) -> Asked:
    turns = [message["content"] for message in row["messages"]]
    boxes = [tuple(region["bbox"]) for region in row["regions"]]
    return Asked(row["id"].split("/")[2], boxes, turns[::2], turns[1::2])


def same(boxes: list[Box], expected: list[Box]) -> bool:
    return len(boxes) == len(expected) and all(map(same_place, boxes, expected))


def problems(readers: dict[str, SecondReader], rows: list[Asked], style: Style) -> list[str]:
    """What records say otherwise than the owner's files, a line for each."""
    faults: list[str] = []
    left = {
        name: {blankless(caption.text): caption for caption in reader.captions}
        for name, reader in readers.items()
    }
    for row in rows:
        turns = zip(row.requests, row.answers, strict=True)
        for request, answer in turns:
            caption = left[row.picture].pop(blankless(answer), None)
            if caption is None:
                faults.append(f"{row.picture}: no caption {answer!r}, or it was told before")
                continue
            numbers = [int(number) for number in re.findall(r"<region(\d+)>", request)]
            if not same([row.boxes[number - 1] for number in numbers], caption.boxes()):
                faults.append(f"{row.picture}: {answer!r} is asked about other boxes")
            if listing(style, numbers) not in request:
                faults.append(f"{row.picture}: regions are not listed as they should be: {request}")
            if style is Style.GPT4ROI:
                asked = [by_name(*turn, row) for turn in turns]  # all turns that are left
                if asked != caption.named():
                    faults.append(f"{row.picture}: phrases are {asked}")
    lost = sum(map(len, left.values()))
    return [*faults, *([f"{lost} captions are told nowhere"] if lost else [])]


def listing(style: Style, numbers: list[int]) -> str:
    if style is Style.GPT4ROI:
        return english_list([f"region{number} <region{number}>" for number in numbers])
    if len(numbers) == 1:
        return f"<region{numbers[0]}>"
    return english_list([f"[{number}] <region{number}>" for number in numbers])


def english_list(words: list[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if words[1:] else words)


def by_name(request: str, answer: str, row: Asked) -> tuple[frozenset[Box], str]:
    """The boxes that a turn asks about by the names they were given, and the answer's letters."""
    numbers = [] if "<" in request else re.findall(r"\bregion(\d+)\b", request)
    return frozenset(row.boxes[int(number) - 1] for number in numbers), blankless(answer)


@pytest.fixture(scope="module")
def root(samples, made_once):
    """The real files, as their owner lays them out; ten pictures are drawn in their sizes."""
    return made_once("flickr30k_second_reader", lambda folder: lay_out(samples, folder))


def lay_out(samples: Path, root: Path) -> None:
    folder = root / "flickr30k_entities"
    folder.mkdir()
    real = samples / "flickr30k_entities"
    for name in ("Annotations", "Sentences", "train.txt", "val.txt", "test.txt"):
        (folder / name).symlink_to(real / name)
    pictures = folder / "flickr30k-images"
    pictures.mkdir()
    for path in (real / "Annotations").glob("*.xml"):
        picture = pictures / f"{path.stem}.jpg"
        if (real / "flickr30k-images" / picture.name).exists():
            picture.symlink_to(real / "flickr30k-images" / picture.name)
            continue
        noise = np.random.default_rng(int(path.stem)).integers(0, 256, (4, 6, 3), dtype=np.uint8)
        size = SecondReader(folder, path.stem).size
        Image.fromarray(noise).resize(size, Image.Resampling.NEAREST).save(picture)


@pytest.fixture
def short_lists(root, readers, tmp_path):
    """The same files, with lists of those pictures and few others, which are missing."""
    folder = tmp_path / "flickr30k_entities"
    folder.mkdir()
    for path in (root / "flickr30k_entities").iterdir():
        if path.suffix == ".txt":
            ids = path.read_text().split()
            names = [name for name in ids if name in readers or name in ids[:9]]
            (folder / path.name).write_text("".join(f"{name}\n" for name in names))
        else:
            (folder / path.name).symlink_to(path)
    return tmp_path


@pytest.fixture(scope="module")
def readers(root):
    folder = root / "flickr30k_entities"
    return {path.stem: SecondReader(folder, path.stem) for path in folder.glob("Annotations/*.xml")}


@pytest.fixture(scope="module", params=Style)
def built(request, run_build, root, made_once, output_of):
    """A style, and the build in it, read-only."""
    style = request.param

    def build(folder):
        output = run_build(root, request={"name": "flickr30k"}, style=style)
        shutil.copytree(output.folder, folder, dirs_exist_ok=True)

    return style, output_of(made_once(f"flickr30k_second_reader_{style}", build))


def test_records_say_what_the_owner_says(readers, built):
    style, output = built
    rows = output.rows()
    assert problems(readers, [asked_in(row) for row in rows], style) == []
    captions = sum(len(reader.captions) for reader in readers.values())
    assert len(rows) == (len(readers) if style is Style.REGIONGPT else captions)


def test_no_text_is_tokenised(built, tokenised_in):
    assert tokenised_in(built[1]) == []


def test_pictures_are_the_owners_own(root, readers, built):
    folder = root / "flickr30k_entities" / "flickr30k-images"
    for row in built[1].rows():
        picture = folder / row["image"]["path"]
        assert row["image"]["bytes"] == picture.read_bytes()
        assert picture.stem == row["id"].split("/")[2]
        assert (row["width"], row["height"]) == readers[picture.stem].size


def test_counts_agree_reason_by_reason(root, readers, built):
    ledger = built[1].ledger()
    expected: Counter = sum((reader.rejected for reader in readers.values()), Counter())
    lists = {split: (root / "flickr30k_entities" / f"{split}.txt").read_text().split() for split in
             ("train", "val", "test")}  # fmt: skip
    for split, ids in lists.items():
        there = [readers[name] for name in ids if name in readers]
        stages = ledger.sources["flickr30k"][split]
        assert stages["read"]["image"].read == len(ids)
        expected["image", "image_missing"] += len(ids) - len(there)
        if there:
            assert stages["read"]["annotation"].read == sum(r.objects for r in there)
            assert stages["read"]["sentence"].read == sum(r.sentences for r in there)
            assert stages["write"]["sentence"].kept == sum(len(r.captions) for r in there)
            assert stages["write"]["image"].kept == len(there)
    captions = [caption for reader in readers.values() for caption in reader.captions]
    turns = sum(len(caption.named()) for caption in captions)
    repeats = sum(len(caption.phrases) for caption in captions) - turns
    assert (turns, repeats) == (241, 12)  # 8 are about more than ten boxes
    if built[0] is Style.GPT4ROI:
        expected["phrase", "caption_turn_only"] = repeats
    assert phrases_of(ledger) == ((253, 241, 241) if built[0] is Style.GPT4ROI else (0, 0, 0))
    assert built[1].booked(ledger, "rejected") == expected
    assert min(expected["annotation", "no_regions"], expected["annotation", "not_used"]) > 0
    assert built[1].repaired() == built[1].sampled_out() == Counter()


def phrases_of(ledger) -> tuple[int, int, int]:
    """Phrases that were composed from, that were kept, and that are in the shards."""
    splits = ledger.sources["flickr30k"]
    composed, written = (
        [ledger.account("flickr30k", split, stage, Kind.PHRASE) for split in splits]
        for stage in (Stage.COMPOSE, Stage.WRITE)
    )
    return (
        sum(account.read for account in composed),
        sum(account.kept for account in composed),
        sum(account.kept for account in written),
    )


def test_each_picture_is_in_the_split_of_its_list(root, built):
    for row in built[1].rows():
        ids = (root / "flickr30k_entities" / f"{row['split']}.txt").read_text().split()
        assert row["id"].split("/")[2] in ids


def test_verify_finds_nothing(built):
    assert verify(str(built[1].folder)).problems == []


def test_datasets_opens_it(built, tmp_path):
    where = str(built[1].folder), "flickr30k"
    loaded = [
        row
        for split in ("train", "val")
        for row in load_dataset(*where, split=split, cache_dir=str(tmp_path))
    ]
    assert sorted(row["id"] for row in loaded) == sorted(row["id"] for row in built[1].rows())
    assert all(row["image"].size == (row["width"], row["height"]) for row in loaded)


def test_parts_and_paths_decide_nothing(root, built, run_build, in_parts, tmp_path):
    (tmp_path / "elsewhere").symlink_to(root / "flickr30k_entities" / "Annotations")
    request = {"name": "flickr30k", "paths": {"annotations": str(tmp_path / "elsewhere")}}
    again = run_build(root, request=request, style=built[0], launch_options=in_parts)
    assert again.digests() == built[1].digests()


def one_pixel_off(box):
    return tuple(map(float, box))


def merged(content, image_id):
    """The reading, with one box around all of a chain."""
    annotation = PARSE(content, image_id)
    boxes = {region.region_id: region.bbox for region in annotation.regions}
    for region_ids in annotation.chains.values():
        corners = list(zip(*(boxes[region_id] for region_id in region_ids), strict=True))
        around = (min(corners[0]), min(corners[1]), max(corners[2]), max(corners[3]))
        boxes |= dict.fromkeys(region_ids, around)
    regions = [replace(region, bbox=boxes[region.region_id]) for region in annotation.regions]
    return replace(annotation, regions=tuple(regions))


def paired_wrongly(content, image_id):
    """The reading, with each region in the place of the next."""
    annotation = PARSE(content, image_id)
    boxes = [region.bbox for region in annotation.regions]
    shifted = zip(annotation.regions, boxes[1:] + boxes[:1], strict=True)
    return replace(annotation, regions=tuple(replace(region, bbox=box) for region, box in shifted))


def each_alone(caption):
    """The phrases of a caption, those of several regions said of each."""
    return {(name,): phrases for meant, phrases in PHRASES(caption).items() for name in meant}


def named_apart(style, number):
    return f"Region [{number}]" if style is Style.REGIONGPT else f"region {number}"


PARSE, PHRASES = flickr30k_xml.parse_annotation, multi_region_caption._phrases


@pytest.mark.parametrize(
    ("module", "name", "fault"),
    [
        (flickr30k_xml, "_xyxy", one_pixel_off),
        (photos, "parse_annotation", merged),
        (photos, "parse_annotation", paired_wrongly),
        (multi_region_caption, "_phrases", each_alone),
        (dialogue, "named", named_apart),
    ],
)
def test_known_faults_are_seen(short_lists, readers, run_build, monkeypatch, module, name, fault):
    monkeypatch.setattr(module, name, fault)
    output = run_build(short_lists, request={"name": "flickr30k"}, style=Style.GPT4ROI)
    faults = problems(readers, [asked_in(row) for row in output.rows()], Style.GPT4ROI)
    assert len(faults) > 15
