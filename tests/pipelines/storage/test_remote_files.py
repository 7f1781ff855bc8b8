"""Remote files: what is asked of a store, and what its errors become.

The store is one in memory; `test_stores.py` asks real servers.
"""

import sys
import threading

import pytest
from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import PipelineOptions

from pipelines.cli.arguments import folder
from pipelines.cli.parser import run
from pipelines.storage import files, store_client, store_files, store_lease
from schemas.errors import InputFileError, UsageError

OBJECT = "bucket://lake/folder/a.txt"


@pytest.fixture
def bucket(remote_store):
    """A store of two objects."""
    return remote_store({OBJECT: b"content", "bucket://lake/folder/below/b.txt": b"four"})


@pytest.fixture
def loaded(remote_store, two_splits):
    """A store with COCO below bucket://lake/data."""
    root, _ = two_splits
    return remote_store(
        {
            f"bucket://lake/data/{path.relative_to(root).as_posix()}": path.read_bytes()
            for path in root.rglob("*")
            if path.is_file()
        }
    )


def verbs(bucket, ending: str = "") -> list[str]:
    """The requests for objects whose names end so, and forget all requests."""
    asked = [verb for verb, path in bucket.requests if path.endswith(ending)]
    bucket.requests.clear()
    return asked


def error_of(capsys) -> str:
    lines: list[str] = capsys.readouterr().err.splitlines()
    (line,) = [line for line in lines if "error" in line]
    return line


def test_from_store_to_store(loaded, run_build, two_splits, tmp_path, capsys):
    root, _ = two_splits
    flags = ["build", "--sources", "coco", "--label-set", "Things", "--no-guard"]
    far = [*flags, "--data-root", "bucket://lake/data", "--output", "bucket://lake/out"]
    assert run(far) == 0, capsys.readouterr().err
    assert run([*flags, "--data-root", str(root), "--output", str(tmp_path / "near")]) == 0
    near = {
        path.relative_to(tmp_path / "near").as_posix(): path.read_bytes()
        for path in (tmp_path / "near").rglob("*")
        if path.is_file()
    }
    below = "bucket://lake/out/"
    written = {
        name.removeprefix(below): content
        for name, content in loaded.content.items()
        if name.startswith(below)
    }
    for content in (written, near):  # of what was read, by ETags and by the times of files
        content.pop("_state/inputs.json", None)
    assert written == near
    for command in (["verify"], ["preview", "-n", "1"], ["info"]):
        assert run([*command, "bucket://lake/out"]) == 0, capsys.readouterr().err


def test_few_requests_for_pictures_and_shards(loaded, monkeypatch, capsys):
    words = ["build", "--sources", "coco", "--label-set", "Things", "--no-guard"]
    words += ["--data-root", "bucket://lake/data", "--output", "bucket://lake/out"]
    assert run(words) == 0, capsys.readouterr().err
    requests = list(loaded.requests)
    pictures = {path for _, path in requests if path.endswith(".jpg")}
    shards = {path for _, path in requests if path.endswith(".arrow")}
    assert (len(pictures), len(shards)) == (5, 2)
    for path in pictures:
        assert sum(asked == path for _, asked in requests) <= 3
    for path in shards:
        state = path.replace("/out/", "/out/_state/") + ".json"
        assert sum(asked in {path, state} for _, asked in requests) <= 4
    loaded.requests.clear()
    assert run(words) == 0, capsys.readouterr().err
    assert [verb for verb, path in loaded.requests if path.endswith(".arrow")] == []


def test_what_is_missing_in_a_store_is_one_line(bucket, capsys):
    assert run(["verify", "bucket://lake/folder"]) == 2
    assert error_of(capsys) == "error: no output is in bucket://lake/folder: " + (
        "bucket://lake/folder/manifest.json is not there"
    )


def test_one_request_for_a_whole_object_or_a_small_file(bucket):
    assert files.read(OBJECT) == b"content"
    assert verbs(bucket) == ["GET"]
    room = memoryview(bytearray(4))
    assert (files.read_into(OBJECT, room), bytes(room)) == (4, b"cont")
    assert verbs(bucket) == ["GET"]
    files.write_whole(OBJECT, b"new")
    assert verbs(bucket) == ["PUT"]
    assert files.exists(OBJECT)
    assert files.size_of(OBJECT) == files.size_if_there(OBJECT) == 3
    assert verbs(bucket) == ["HEAD", "HEAD", "HEAD"]
    assert dict(files.walk("bucket://lake/folder")) == {"a.txt": 3, "below/b.txt": 4}
    assert verbs(bucket) == ["LIST"]


@pytest.mark.parametrize("size", [0, 1, 3, 6, 7])
def test_a_large_object_is_read_block_by_block(bucket, monkeypatch, size):
    monkeypatch.setattr(store_files, "_READ_BYTES", 3)
    bucket.content[OBJECT] = bytes(range(size))
    with files.open_read(OBJECT) as file:
        parts = list(iter(lambda: file.read(2), b""))
    assert b"".join(parts) == bytes(range(size))
    assert verbs(bucket) == ["HEAD", *["GET"] * -(-size // 3)]
    with files.open_read(OBJECT) as file:
        assert file.read() == bytes(range(size))


def test_an_upload_that_breaks_off_leaves_nothing(bucket):
    def break_off():
        with files.open_whole(OBJECT) as file:
            file.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        break_off()
    assert bucket.content[OBJECT] == b"content"
    assert verbs(bucket) == ["ABORT"]
    with files.open_whole(OBJECT) as file:
        file.write(b"whole")
    assert bucket.content[OBJECT] == b"whole"


def test_an_upload_that_the_store_refuses_at_its_end_is_forgotten(bucket, monkeypatch):
    def refuse(*_, **__):
        raise PermissionError("Access Denied")

    monkeypatch.setattr(bucket, "pipe_file", refuse)
    with (
        pytest.raises(PermissionError, match=r"Access Denied: 'bucket://lake/folder/a.txt'"),
        files.open_whole(OBJECT) as file,
    ):
        file.write(b"all")
    assert verbs(bucket) == ["ABORT"]


def test_an_error_is_one_line_with_the_path_and_without_keys(bucket, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "open-sesame-42")

    def fail(*_, **__):
        raise ValueError("Bad Request open-sesame-42\nand what was sent")

    monkeypatch.setattr(bucket, "cat_file", fail)
    with pytest.raises(OSError, match="Bad Request") as caught:
        files.read(OBJECT)
    assert str(caught.value) == f"[Errno 5] Bad Request [key]: '{OBJECT}'"
    with pytest.raises(InputFileError, match=r"^cannot read bucket://lake/folder/a.txt: "):
        files.FileStore().read(OBJECT)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (FileNotFoundError("x"), "bucket://lake/x: there is no bucket lake"),
        (PermissionError("no"), "bucket://lake/x: the store refuses: no. Credentials are looked"),
        (ValueError("Unable to locate credentials"), "bucket://lake/x: the store refuses: Unabl"),
        (OSError("Forbidden: x"), "bucket://lake/x: the store refuses: Forbidden: x. Credential"),
        (OSError("no route"), "bucket://lake/x: the store cannot be asked: no route"),
        (OSError(16, "Busy"), "bucket://lake/x: the store cannot be asked: Busy"),
        (OSError(", 503"), "bucket://lake/x: the store cannot be asked: status 503"),
    ],
)
@pytest.mark.parametrize("command", [["verify"], ["sources", "--data-root"]])
def test_a_store_that_cannot_be_asked_is_one_line(
    bucket, monkeypatch, capsys, command, error, message
):
    def fail(*_, **__):
        raise error

    monkeypatch.setattr(bucket, "info", fail)
    assert run([*command, "bucket://lake/x"]) == 2
    assert error_of(capsys).startswith(f"error: {message}")


def test_a_wait_for_a_store_is_explained(bucket, monkeypatch, capsys):
    monkeypatch.setattr(store_files, "_PATIENCE", 0.0)
    asked = store_files.exists
    monkeypatch.setattr(
        store_files, "exists", lambda path: threading.Event().wait(0.2) or asked(path)
    )
    files.check_reachable("bucket://lake/folder")
    assert capsys.readouterr().err == (
        "waiting for bucket://lake: credentials are looked for, or the store does not answer\n"
    )


@pytest.mark.parametrize("path", ["s3://", "s3:///x"])
def test_a_path_names_a_bucket(path, monkeypatch):
    monkeypatch.setattr(store_files, "require", lambda *_: None)
    with pytest.raises(UsageError, match=f"^{path}: expected s3://BUCKET/PATH$"):
        files.check_reachable(path)


def test_names_are_parted_by_single_slashes(bucket):
    assert folder("bucket://lake/out/") == "bucket://lake/out"
    assert folder("bucket://lake//") == "bucket://lake"
    for path in ("bucket://lake//out", "bucket://lake/out//below"):
        with pytest.raises(UsageError, match=f"^{path}: expected a single slash between two names"):
            folder(path)


def test_a_run_whose_output_another_one_took_over_writes_no_more(loaded, monkeypatch, capsys):
    write, left = loaded.pipe_file, {}

    def take_over(self, path, value, mode="overwrite"):
        write(self, path, value, mode)
        if path.endswith(".arrow"):
            del self.content["bucket://lake/out/_state/lease/000001.json"]
            monkeypatch.setattr(store_lease, "LAPSE_SECONDS", 0.0)  # the run has to ask at once
            left.update(self.content)

    monkeypatch.setattr(loaded, "pipe_file", take_over)
    words = ["build", "--sources", "coco", "--label-set", "Things", "--no-guard"]
    words += ["--data-root", "bucket://lake/data", "--output", "bucket://lake/out"]
    assert run(words) == 1
    printed = capsys.readouterr().err
    assert printed.splitlines()[-1].startswith(
        "error: another run has taken bucket://lake/out over"
    )
    assert "Traceback" not in printed
    assert loaded.content == left


@pytest.mark.parametrize(
    ("path", "library", "extra"),
    [
        ("s3://lake/out", "s3fs", "s3"),
        ("gs://lake/out", "gcsfs", "gcp"),
        ("az://lake/out", "adlfs", "azure"),
    ],
)
@pytest.mark.parametrize("words", [["verify"], ["sources", "--data-root"]])
def test_a_missing_extra_is_named(words, path, library, extra, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, library, None)
    assert run([*words, path]) == 2
    message = capsys.readouterr().err.splitlines()[-1]
    assert message == f"error: {path} needs: pip install 'regionforge[{extra}]'"


@pytest.mark.parametrize("command", ["verify", "preview", "info"])
def test_a_command_without_a_pipeline_takes_flags_for_stores(command, bucket, monkeypatch, capsys):
    assert run([command, "bucket://lake/x", "--s3_endpoint_url", "http://lake:9000"]) == 2
    assert "there is no" not in error_of(capsys)
    assert store_client.store_options() == {"s3_endpoint_url": "http://lake:9000"}
    FileSystems.set_options(PipelineOptions([]))
