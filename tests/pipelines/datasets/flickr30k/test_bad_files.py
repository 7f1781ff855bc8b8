"""Flickr30k Entities: files that are not as they should be, each among good ones.

Every bad item is named with its reason, and the good ones come through as if it were not there.

Length: all cases spoil one small data root, which is described here once.
"""

from pathlib import Path

import pytest
from PIL import Image

from schemas.errors import InputFileError, UsageError

BOX = "<bndbox><xmin>{}</xmin><ymin>{}</ymin><xmax>{}</xmax><ymax>{}</ymax></bndbox>"
SIZE = "<size><width>{}</width><height>32</height><depth>3</depth></size>"
BOMB = """<!DOCTYPE annotation [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>"""
SENTENCE = "[/EN#{}/people A man] and [/EN#{}/animals/other his dog] , [/EN#0/notvisual it] barks ."


def boxed(*values: object, chains: tuple[str, ...] = ("1",)) -> str:
    names = "".join(f"<name>{chain}</name>" for chain in chains)
    return f"<object>{names}{BOX.format(*values)}</object>"


def boxless(chain: str, scene: int = 0, nobndbox: int = 1) -> str:
    flags = f"<scene>{scene}</scene><nobndbox>{nobndbox}</nobndbox>"
    return f"<object><name>{chain}</name>{flags}</object>"


GOOD = (boxed(1, 1, 20, 30), boxed(11, 2, 48, 32, chains=("2",)))


def annotation(name: str, *objects: str, size: str = SIZE.format(48)) -> str:
    return f"<annotation><filename>{name}.jpg</filename>{size}{''.join(objects)}\n</annotation>\n"


class Owner:
    """A data root in the owner's layout: 1, 2 and 3 in train, 8 in val, 9 in test, all good."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / "flickr30k_entities"
        self.lists = {"train": ["3", "1", "2"], "val": ["8"], "test": ["9"]}
        for name in ("Annotations", "Sentences", "flickr30k-images"):
            (self.folder / name).mkdir(parents=True)
        for ids in self.lists.values():
            for name in ids:
                self.picture(name)
        self.save()

    def picture(self, name: str) -> None:
        Image.new("RGB", (48, 32), "teal").save(self.file("flickr30k-images", name, "jpg"))
        self.objects(name, *GOOD)
        self.sentences(name, *[SENTENCE.format(1, 2)] * 5)

    def file(self, folder: str, name: str, kind: str) -> Path:
        return self.folder / folder / f"{name}.{kind}"

    def objects(self, name: str, *objects: str, **options: str) -> None:
        self.xml(name, annotation(name, *objects, **options))

    def xml(self, name: str, content: str, encoding: str = "utf-8") -> None:
        self.file("Annotations", name, "xml").write_text(content, encoding=encoding)

    def sentences(self, name: str, *lines: str) -> None:
        self.text(name, "".join(f"{line}\n" for line in lines).encode())

    def text(self, name: str, content: bytes) -> None:
        self.file("Sentences", name, "txt").write_bytes(content)

    def listed(self, **lists: list[str]) -> None:
        self.lists |= lists
        self.save()

    def save(self) -> None:
        for split, ids in self.lists.items():
            lines = "".join(f"{name}\n" for name in ids)
            (self.folder / f"{split}.txt").write_text(lines, encoding="utf-8")


@pytest.fixture
def owner(tmp_path):
    return Owner(tmp_path / "root")


@pytest.fixture
def build(owner, run_build):
    def run(**options):
        return run_build(owner.root, request={"name": "flickr30k"}, **options)

    return run


def test_missing_lists_are_named_before_anything_is_read(owner, build):
    [(owner.folder / name).unlink() for name in ("train.txt", "val.txt", "test.txt")]
    with pytest.raises(UsageError, match=r"missing: .*val\.txt"):
        build()


def test_boxes_count_from_nought(owner, build):
    owner.objects("1", boxed(1, 1, 1, 1), boxed(1, 1, 48, 32, chains=("2",)))
    regions = build().regions()
    assert regions["1/1,1,1,1"]["bbox"] == [0, 0, 1, 1]
    assert regions["1/1,1,48,32"]["bbox"] == [0, 0, 48, 32]


def test_the_order_in_the_owners_files_decides_nothing(owner, build):
    objects = [*GOOD, boxed(5, 5, 9, 9, chains=("2", "3")), boxed(5, 5, 9, 9), boxless("4")]
    owner.objects("1", *objects)
    first = build()
    owner.objects("1", *reversed(objects))
    owner.listed(train=["2", "3", "1"])
    assert build().digests() == first.digests()


def test_a_limit_leaves_files_unread(owner, build):
    for name in ("1", "2", "3"):
        owner.xml(name, "not read unless it is chosen")
    output = build(limit=2)
    accounts = output.ledger().sources["flickr30k"]["train"]["read"]
    assert (accounts["image"].read, accounts["image"].sampled_out) == (3, 1)
    assert len([line for line in output.rejected() if line[0] == "image"]) == 2


def image(reason: str) -> set[tuple[str, str, str]]:
    """The line of an image that is rejected."""
    return {("image", "", reason)}


# The numbers of boxes and sentences that are left out with an image.
WITH_IMAGE = {
    "broken XML": (0, 5),
    "no XML": (0, 5),
    "XML that is not UTF-8": (0, 5),
    "entities that grow": (0, 5),
    "another picture's XML": (2, 5),
    "no size": (2, 5),
    "a size of nought": (2, 5),
    "no sentences": (2, 0),
    "no picture": (2, 5),
    "no picture, and broken XML": (0, 5),
}

# What spoils a picture's files; and what is rejected then, each with what follows the picture's id.
BAD = {
    "broken XML": (
        lambda owner, name: owner.xml(name, annotation(name, *GOOD)[:-20]),
        image("unreadable_file"),
    ),
    "no XML": (
        lambda owner, name: owner.file("Annotations", name, "xml").unlink(),
        image("unreadable_file"),
    ),
    "XML that is not UTF-8": (
        lambda owner, name: owner.xml(name, annotation(name, *GOOD), encoding="utf-16"),
        image("unreadable_file"),
    ),
    "entities that grow": (
        lambda owner, name: owner.xml(name, BOMB + annotation(name, *GOOD, "<b>&b;</b>")),
        image("unreadable_file"),
    ),
    "another picture's XML": (
        lambda owner, name: owner.xml(name, annotation("1", *GOOD)),
        image("malformed"),
    ),
    "no size": (
        lambda owner, name: owner.objects(name, *GOOD, size="<size/>"),
        image("malformed"),
    ),
    "a size of nought": (
        lambda owner, name: owner.objects(name, *GOOD, size=SIZE.format(0)),
        image("image_bad_size"),
    ),
    "no sentences": (
        lambda owner, name: owner.file("Sentences", name, "txt").unlink(),
        {("image", "", "unreadable_file")},
    ),
    "no picture": (
        lambda owner, name: owner.file("flickr30k-images", name, "jpg").unlink(),
        image("image_missing"),
    ),
    "no picture, and broken XML": (
        lambda owner, id: (owner.file("flickr30k-images", id, "jpg").unlink(), owner.xml(id, "<")),
        image("image_missing"),
    ),
    "a box drawn for two chains": (
        lambda owner, name: (
            owner.objects(name, boxed(1, 1, 20, 30), boxed(1, 1, 20, 30, chains=("2",))),
            owner.sentences(name, *["[/EN#2/animals A dog] ."] * 5),
        ),
        {("annotation", "/1,1,20,30", "duplicate")},
    ),
    "four sentences": (
        lambda owner, name: owner.sentences(name, *[SENTENCE.format(1, 2)] * 4),
        {("sentence", "#4", "malformed")},
    ),
    "six sentences": (
        lambda owner, name: owner.sentences(name, *[SENTENCE.format(1, 2)] * 6),
        {("sentence", "#5", "malformed")},
    ),
    "brackets that do not close": (
        lambda owner, name: owner.sentences(
            name,
            SENTENCE.format(1, 2),
            "[/EN#1/people A man and [/EN#2/animals a dog] .",
            "[/EN#1/people A man and a dog .",
            "A man] and [/EN#2/animals a dog] .",
            "A man and [a dog] with [/EN#/other words] and [/EN#2 words] .",
        ),
        {("sentence", f"#{number}", "malformed") for number in (1, 2, 3, 4)},
    ),
    "a sentence that is no text": (
        lambda owner, name: owner.text(
            name, b"[/EN#1/people \xff] .\n" + 4 * (SENTENCE.format(1, 2).encode() + b"\n")
        ),
        {("sentence", "#0", "malformed")},
    ),
    "sentences without a box": (
        lambda owner, name: owner.sentences(
            name, *[SENTENCE.format(1, 2)] * 3, "", SENTENCE.format(7, 0)
        ),
        {("sentence", "#3", "text_empty"), ("sentence", "#4", "no_regions")},
    ),
    "objects of all kinds": (
        lambda owner, name: owner.objects(
            name,
            *GOOD,
            boxless("5"),
            boxed("one", 2, 3, 4),
            boxed(1, 2, 3, "9" * 12),
            "<object><name>6</name></object>",
            boxed(1, 1, 9, 9, chains=()),
            boxed(30, 1, 20, 9),
            boxed(1, 1, 20, 30, chains=("9",)),
            boxed(2, 2, 7, 7, chains=("0",)),
            boxed(2, 2, 8, 8, chains=("77",)),
        ),
        {
            ("annotation", "/5", "no_regions"),
            *[("annotation", f"/object {number}", "malformed") for number in (4, 5, 6, 7)],
            ("annotation", "/30,1,20,9", "box_inverted"),
            # Its phrase stands for the inverted box as well.
            *[("annotation", "/1,1,20,30", reason) for reason in ("duplicate", "not_used")],
            *[("annotation", box, "not_used") for box in ("/2,2,7,7", "/2,2,8,8")],
        },
    ),
}  # fmt: skip

LISTS = {
    "ids that are none": (
        lambda owner: owner.listed(train=["1", "../1", "2", "..", "a/b", "3"]),
        {("image", name, "image_unsafe_path") for name in ("../1", "..", "a/b")},
    ),
    "an id longer than any": (
        lambda owner: owner.listed(train=["1", "2", "3", "7" * 101]),
        {("image", "7" * 101, "image_unsafe_path")},
    ),
    "an id that stands twice": (
        lambda owner: owner.listed(train=["1", "2", "3", "2"]),
        {("image", "2", "duplicate_id")},
    ),
    "ids of two splits": (
        lambda owner: owner.listed(train=["1", "2", "3", "8"], val=["8", "9"]),
        {("image", "8", "duplicate_id"), ("image", "9", "duplicate_id")},
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def spoilt(tmp_path_factory, run_build, in_parts):
    """A build of good pictures and one for each bad case, and the ids of those."""
    owner = Owner(tmp_path_factory.mktemp("spoilt"))
    names = {case: f"77{number:02}" for number, case in enumerate(BAD)}
    for case, name in names.items():
        owner.picture(name)
        BAD[case][0](owner, name)
    owner.listed(train=["1", *names.values(), "3", "2"])
    return names, run_build(owner.root, request={"name": "flickr30k"}, launch_options=in_parts)


@pytest.mark.parametrize("case", BAD)
def test_bad_items_are_named(spoilt, case):
    names, output = spoilt
    name, (_, expected) = names[case], BAD[case]
    rejected_items = [line for line in output.rejected() if line[1].startswith(name)]
    assert {(kind, item.removeprefix(name), why) for kind, item, why in rejected_items} == expected
    assert len(set(rejected_items)) == len(rejected_items)
    kinds = {kind for kind, _, _ in rejected_items}
    assert output.images().count(name) == ("image" not in kinds)


def test_good_ones_come_through_and_the_books_balance(spoilt, build):
    names, output = spoilt
    boxes, sentences = (sum(lost) for lost in zip(*WITH_IMAGE.values(), strict=True))
    assert output.with_image() == {"annotation": boxes, "sentence": sentences}
    assert all(line[1].startswith(tuple(names.values())) for line in output.rejected())
    good = {row["id"]: row for row in build().rows()}
    assert len(good) == 5
    assert {row["id"]: row for row in output.rows() if row["id"] in good} == good


@pytest.mark.parametrize("case", LISTS)
def test_bad_lines_of_a_list_are_named(owner, build, case):
    spoil, expected = LISTS[case]
    spoil(owner)
    output = build()
    output.ledger()
    assert set(output.rejected()) == expected
    assert output.images() == ["1", "2", "3", "8", "9"]


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xff\xfe1\n"])
def test_a_list_that_cannot_be_used_is_named(owner, build, tmp_path, content):
    (owner.folder / "train.txt").write_bytes(content)
    with pytest.raises(
        InputFileError, match=r"train\.txt .*Expected the ids of a split's pictures"
    ):
        build(output=tmp_path / "output")
