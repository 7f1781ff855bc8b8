"""Verify's reading of the manifest, the ledger, the rejected items and the card, without shards."""

from pathlib import Path

import pytest
import yaml

from pipelines.card.card import front_matter
from pipelines.verify import verify
from pipelines.verify.card import card_problems
from pipelines.verify.ledger import ledger_problems
from pipelines.verify.listing import listing_problems
from schemas.errors import NoOutputError, VerifyError
from schemas.layout import shard_name
from schemas.ledger import Ledger, ledger_of
from schemas.manifest import BuildIdentity, GuardList, Manifest, Shard
from schemas.rejection import Kind, Reason, Rejection
from schemas.shard import VERSION

LVIS = Rejection("lvis", "train", "screen", Kind.ANNOTATION, "2", Reason.CROWD, "")
REJECTED = [
    Rejection("coco", "train", "screen", Kind.ANNOTATION, str(n), Reason.CROWD, "") for n in (1, 2)
]


def shard(config: str, split: str, index: int, of: int) -> Shard:
    path, rows = f"{config}/{shard_name(split, index, of)}", 10 + index
    return Shard(
        config=config, split=split, index=index, of=of, path=path, rows=rows, bytes=900, sha256="0"
    )


def manifest(*shards: Shard, version: str = VERSION) -> Manifest:
    identity = BuildIdentity(
        schema_version=version, builder="regionforge 9", recipe={"name": "mix"}, sources={}
    )
    return Manifest(identity=identity, shards=list(shards), rejected={"coco": 2})


ONE = manifest(shard("coco", "train", 0, 2), shard("coco", "train", 1, 2))
TWO = manifest(*ONE.shards, shard("lvis", "train", 0, 1), shard("lvis", "val", 0, 1))


@pytest.fixture
def books(tmp_path):
    """The ledger and the rejected items that go with ONE."""
    tallies = {
        ("screen", "annotation", "read"): 9,
        ("screen", "annotation", "kept"): 7,
        ("screen", "annotation", "rejected:crowd"): 2,
        ("write", "annotation", "read"): 7,
        ("write", "annotation", "kept"): 7,
        ("write", "conversation", "read"): 21,
        ("write", "conversation", "kept"): 21,
    }
    ledger = ledger_of({("coco", "train", *key): number for key, number in tallies.items()})
    (tmp_path / "ledger.json").write_text(ledger.model_dump_json(), encoding="utf-8")
    (tmp_path / "_rejected").mkdir()
    write_rejected(tmp_path, *REJECTED)
    return tmp_path


def write_rejected(folder: Path, *items: Rejection) -> None:
    lines = b"".join(item.line() + b"\n" for item in items)
    (folder / "_rejected" / "coco.jsonl").write_bytes(lines)


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def write_card(folder: Path, manifest: Manifest) -> Path:
    path = folder / "README.md"
    front = yaml.safe_dump(front_matter("mix", manifest), sort_keys=False)
    path.write_text(f"---\n{front}---\n# Title\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("content", ["", '{"identity": ', "[]", '{"shards": [], "rejected": {}}'])
def test_a_manifest_that_cannot_be_read_is_an_error(tmp_path, content):
    (tmp_path / "manifest.json").write_text(content, encoding="utf-8")
    advice = r"manifest.json cannot be read as a manifest .*not a finished build; give the command"
    with pytest.raises(VerifyError, match=advice):
        verify(str(tmp_path))


@pytest.mark.parametrize("folder", [".", "absent"])
def test_no_manifest_is_an_error(tmp_path, folder):
    with pytest.raises(NoOutputError, match=r"^no output is in .*: .*manifest.json is not there$"):
        verify(str(tmp_path / folder))


def test_another_version_of_the_schema_is_an_error(tmp_path):
    content = manifest(version="1").model_dump_json()
    (tmp_path / "manifest.json").write_text(content, encoding="utf-8")
    expected = "is of schema 1, by regionforge 9; expected .: build it again with --rebuild"
    with pytest.raises(VerifyError, match=expected):
        verify(str(tmp_path))


def test_the_listing_of_a_clean_build():
    sizes = {shard.path: 900 for shard in TWO.shards} | {
        "_state/coco/x.arrow.json": 1,
        "README.md": 1,
    }
    assert list(listing_problems(TWO, sizes)) == []


@pytest.mark.parametrize(
    ("shards", "expected"),
    [
        ((ONE.shards[0], *ONE.shards), f"lists {ONE.shards[0].path} 2 times, expected once"),
        (ONE.shards[1:], "lists 1 of 2 of coco/train, expected 0 to 1 of 2"),
        (
            (ONE.shards[0], shard("coco", "train", 1, 3)),
            "lists 0 of 2, 1 of 3 of coco/train, expected 0 to 1 of 2",
        ),
        (
            (shard("coco", "train", 0, 1).model_copy(update={"path": "../x.arrow"}),),
            "lists ../x.arrow, expected coco/train-00000-of-00001.arrow",
        ),
    ],
)
def test_a_manifest_whose_shards_do_not_fit_together(shards, expected):
    listed = manifest(*shards)
    sizes = {entry.path: 900 for entry in listed.shards}
    assert f"manifest.json: {expected}" in list(listing_problems(listed, sizes))


def test_books_that_agree(books):
    assert list(ledger_problems(str(books), ONE)) == []


def test_a_ledger_that_is_missing_or_broken(books):
    (books / "ledger.json").write_text("{", encoding="utf-8")
    assert next(ledger_problems(str(books), ONE)).startswith(
        "ledger.json cannot be read as a ledger (Invalid JSON"
    )
    (books / "ledger.json").unlink()
    assert next(ledger_problems(str(books), ONE)).startswith("cannot read ledger.json: No such")


def test_a_ledger_that_does_not_balance_or_fit(books):
    edit(books / "ledger.json", '"read":9', '"read":8')
    assert list(ledger_problems(str(books), ONE)) == [
        "ledger.json: coco/train: stage screen, annotation: read 8, but kept 7 + rejected 2 + "
        "sampled out 0 + with image 0"
    ]
    edit(books / "ledger.json", '"read":8', '"read":9')
    assert list(ledger_problems(str(books), TWO)) == [
        "ledger.json: lvis/train: kept 0 conversations, but the manifest has 10 rows",
        "ledger.json: lvis/val: kept 0 conversations, but the manifest has 10 rows",
    ]


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        (
            REJECTED[:1],
            [
                "1 lines, expected 2 as in the manifest",
                "1 lines of train, stage screen, annotation crowd, expected 2 as in ledger.json",
            ],
        ),
        (
            [REJECTED[0], Rejection("coco", "train", "screen", Kind.IMAGE, "1", Reason.CROWD, "")],
            [
                "1 lines of train, stage screen, annotation crowd, expected 2 as in ledger.json",
                "1 lines of train, stage screen, image crowd, expected 0 as in ledger.json",
            ],
        ),
        (
            [REJECTED[0], LVIS],
            ["line 2: source is 'lvis', expected 'coco'"],
        ),
    ],
)
def test_rejected_items_that_do_not_fit_the_ledger(books, items, expected):
    write_rejected(books, *items)
    problems = list(ledger_problems(str(books), ONE))
    assert problems == [f"_rejected/coco.jsonl: {line}" for line in expected]


def test_a_rejected_line_that_does_not_parse(books):
    edit(books / "_rejected" / "coco.jsonl", '"reason":"crowd"', '"reason":"bored"')
    (problem,) = ledger_problems(str(books), ONE)
    assert problem.startswith(
        "_rejected/coco.jsonl: line 1: not a rejected item: Invalid enum value"
    )


def test_no_list_of_rejected_items(books):
    (books / "_rejected" / "coco.jsonl").unlink()
    first = next(ledger_problems(str(books), ONE))
    assert first == "_rejected/coco.jsonl: 0 lines, expected 2 as in the manifest"
    (books / "_rejected" / "coco.jsonl").mkdir()
    (problem,) = ledger_problems(str(books), ONE)
    assert problem.startswith("cannot read _rejected/coco.jsonl: [Errno 21] Is a directory")


@pytest.mark.parametrize("built", [ONE, TWO])
def test_a_card_that_fits(tmp_path, built):
    write_card(tmp_path, built)
    assert list(card_problems(str(tmp_path), built)) == []


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("num_examples: 21", "num_examples: 20", "coco/train has 20 examples in 1800 bytes, "),
        ("num_examples: 31", "num_examples: 30", "mix/train has 30 examples in 2700 bytes, "),
        ("num_bytes: 1800", "num_bytes: 1801", "coco/train has 21 examples in 1801 bytes, "),
        ("- name: val\n", "- name: test\n", "lvis/test has 10 examples in 900 bytes, expected 0"),
        (
            "coco/train-*-of-00002.arrow",
            "'*/train-*.arrow'",
            "coco/train takes its data from ['*/train-*.arrow'], which leaves out [] and adds "
            "['lvis/train-00000-of-00001.arrow']",
        ),
        (
            "coco/train-*-of-00002.arrow",
            "coco/train-00000-of-00002.arrow",
            "coco/train takes its data from ['coco/train-00000-of-00002.arrow'], which leaves out "
            "['coco/train-00001-of-00002.arrow'] and adds []",
        ),
        ("  default: true\n", "", "default configs are [], expected ['mix']"),
        ("---\n", "", "cannot be read: "),
        ("---\n", "Hello\n---\n", "cannot be read: it does not begin with a YAML header"),
        ("configs:", "configs: [", "cannot be read: while parsing"),
        ("configs:", "config:", "configs or dataset_info are not as `datasets` expects them: "),
    ],
)  # fmt: skip
def test_a_card_that_does_not_fit(tmp_path, old, new, expected):
    edit(write_card(tmp_path, TWO), old, new)
    problems = list(card_problems(str(tmp_path), TWO))
    assert any(line.startswith(f"README.md: {expected}") for line in problems), problems


def test_no_card(tmp_path):
    (problem,) = card_problems(str(tmp_path), ONE)
    assert problem.startswith("README.md: cannot be read: [Errno 2] No such file")


def test_the_guards_lists_are_those_of_the_manifest(books):
    listed = GuardList(name="pope", pictures=2, sha256="0")
    identity = ONE.identity.model_copy(update={"guard": [listed]})
    guarded = ONE.model_copy(update={"identity": identity})
    assert list(ledger_problems(str(books), ONE)) == []
    problem = "ledger.json: the lists of the guard are not those of the manifest"
    assert list(ledger_problems(str(books), guarded)) == [problem]
    ledger = Ledger.model_validate_json((books / "ledger.json").read_bytes())
    with_list = ledger.model_copy(update={"guard": [listed]})
    (books / "ledger.json").write_text(with_list.model_dump_json(), encoding="utf-8")
    assert list(ledger_problems(str(books), guarded)) == []
    assert list(ledger_problems(str(books), ONE)) == [problem]


def test_without_lists_nothing_is_guarded(books):
    edit(books / "ledger.json", '"screen":', '"guard":')
    problems = list(ledger_problems(str(books), ONE))
    assert "ledger.json: coco/train: went through the stage guard without a list" in problems
