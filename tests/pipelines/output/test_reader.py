"""The reader of outputs: what is there comes back whole, and what cannot be read is named."""

import json

import pytest

from pipelines.output.reader import (
    is_shard,
    names_in,
    read_identity,
    read_ledger,
    read_manifest,
    read_rejections,
)
from schemas.errors import InputFileError, NoOutputError, OtherSchemaError
from schemas.layout import IDENTITY, LEDGER, MANIFEST, rejected_path
from schemas.manifest import BuildIdentity
from schemas.rejection import Kind, Reason, Rejection
from schemas.shard import VERSION

AN_IDENTITY = BuildIdentity(schema_version=VERSION, builder="regionforge 0", recipe={}, sources={})
REJECTION = Rejection("coco", "train", "screen", Kind.ANNOTATION, "7", Reason.CROWD, "iscrowd is 1")


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "_rejected").mkdir()
    (tmp_path / "_state").mkdir()
    return tmp_path


def write(folder, name, content):
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(folder)


OLD = {"schema_version": "1", "builder": "regionforge 0.1", "recipe": {}, "inputs": []}
RECAP = OLD | {"recipe": {"captioning": {}, "sources": [{"name": "v3det"}]}}
ODD = OLD | {"recipe": {"captioning": {}}}


@pytest.mark.parametrize(
    ("identity", "advice"),
    [
        (OLD, "build it again with --rebuild"),
        (
            RECAP,
            "build again; captions are kept: regionforge recap --source v3det --output {}, with",
        ),
        (ODD, "build again with `regionforge recap`; captions are kept"),
    ],
)
def test_an_output_of_another_schema(folder, identity, advice):
    manifest = {"identity": identity, "shards": [], "rejected": {}}
    output = write(folder, MANIFEST, json.dumps(manifest))
    write(folder, IDENTITY, json.dumps(identity))
    expected = (
        f"json is of schema 1, by regionforge 0.1; expected {VERSION}: {advice.format(output)}"
    )
    for read in (read_manifest, read_identity):
        with pytest.raises(OtherSchemaError, match=expected):
            read(output)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"{", r"manifest.json cannot be read as a manifest \(Invalid JSON"),
        (b"{}", r"manifest.json cannot be read as a manifest \(identity: Field required\)"),
    ],
)
def test_a_manifest_that_cannot_be_read(folder, content, reason):
    if content is not None:
        write(folder, MANIFEST, content)
    with pytest.raises(InputFileError, match=f"{reason}.*: this is not a finished build; give the"):
        read_manifest(str(folder))


def test_a_manifest_that_is_not_there_yet(folder):
    output = write(folder, IDENTITY, b"{}")
    expected = (
        r"^cannot read .*manifest.json: No such file.*: this is not a finished build; give the"
    )
    with pytest.raises(InputFileError, match=expected):
        read_manifest(output)


@pytest.mark.parametrize("name", [".", "nowhere", "file.txt", "file.txt/below"])
def test_a_folder_without_an_output(tmp_path, name):
    write(tmp_path, "file.txt", b"")
    output = str(tmp_path / name)
    with pytest.raises(NoOutputError) as refused:
        read_manifest(output)
    path = f"{output.rstrip('/')}/{MANIFEST}"
    assert str(refused.value) == f"no output is in {output}: {path} is not there"


def test_a_ledger_that_cannot_be_read(folder):
    output = write(folder, LEDGER, b'{"sources": 3}')
    with pytest.raises(InputFileError, match=r"ledger.json cannot be read as a ledger \(sources: "):
        read_ledger(output)


def test_an_identity_comes_back_unless_it_is_damaged(folder):
    output = write(folder, IDENTITY, AN_IDENTITY.model_dump_json())
    assert read_identity(output) == AN_IDENTITY
    write(folder, IDENTITY, b"{}")
    assert read_identity(output) is None
    (folder / IDENTITY).unlink()
    with pytest.raises(InputFileError, match=r"cannot read .*build.json"):
        read_identity(output)


def test_rejections_come_back_in_order(folder):
    assert list(read_rejections(str(folder), "coco")) == []
    output = write(folder, rejected_path("coco"), (REJECTION.line() + b"\n") * 3)
    assert list(read_rejections(output, "coco")) == [REJECTION] * 3


@pytest.mark.parametrize("line", [b"{}", b"\xff", b"", b'"x"'])
def test_a_line_that_is_no_rejection_is_named(folder, line):
    content = REJECTION.line() + b"\n" + line + b"\n"
    rejections = read_rejections(write(folder, rejected_path("coco"), content), "coco")
    assert next(rejections) == REJECTION
    with pytest.raises(InputFileError, match=r"_rejected/coco.jsonl: line 2: not a rejected item"):
        next(rejections)


def test_names_of_an_output(folder):
    assert names_in(str(folder / "nowhere")) == []
    write(folder, MANIFEST, b"")
    (folder / "link").symlink_to(folder / "_state")
    assert names_in(str(folder)) == [MANIFEST]


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("coco/train-00000-of-00001.arrow", True),
        ("recapd/train-00000-of-00001.arrow", True),
        ("mine/train-00000-of-00001.arrow", False),
        ("coco/notes.arrow", False),
    ],
)
def test_a_shard_of_ours_lies_in_a_folder_of_a_config(name, ours):
    assert is_shard(name) is ours
