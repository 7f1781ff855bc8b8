"""Push: what is sent, what is not, and what happens when the Hub says no."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys

import pytest

from pipelines.push import upload
from tests.pipelines.push.conftest import TOKEN

# A warning of the HTTP library about what the Hub's library does.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=<...>':DeprecationWarning")
REPO = ["--repo", "me/regions"]


@pytest.fixture
def push(command_line):
    def run(folder, *words):
        done = command_line("push", folder, *REPO, *words)
        assert TOKEN not in done.stdout + done.stderr
        return done

    return run


@pytest.fixture
def folder(one_licence, tmp_path):
    """A copy of the build, with a file that is none of its own."""
    copy = shutil.copytree(one_licence, tmp_path / "build")
    (copy / "passwords.txt").write_text("mine", encoding="utf-8")
    (copy / "visual_genome" / "train-00000-of-00099.arrow").write_bytes(b"of another build")
    return copy


def shards(folder):
    manifest = json.loads((folder / "manifest.json").read_bytes())
    return sorted(shard["path"] for shard in manifest["shards"])


def test_what_the_manifest_lists_is_sent(hub, push, folder):
    done = push(folder)
    assert done.returncode == 0, done.stderr
    names = {*shards(folder), "README.md", "manifest.json", "ledger.json"}
    assert hub.files.keys() == names
    for name in names - {"README.md"}:
        assert hub.files[name] == (folder / name).read_bytes()
    assert hub.commits[-1] == ["ledger.json", "README.md", "manifest.json"]
    assert hub.tokens == {f"Bearer {TOKEN}"}
    assert f"sent {len(shards(folder))} files (0 there before)" in done.stdout


def test_the_card_names_the_data_set(hub, push, folder):
    push(folder)
    card = hub.files["README.md"].decode()
    assert card.startswith("---\nlicense: ")
    assert 'load_dataset("me/regions", "visual_genome")' in card
    assert "USER/NAME" not in card


@pytest.mark.parametrize(("words", "private"), [([], True), (["--public"], False)])
def test_a_new_data_set_is_private_unless_told(hub, push, folder, words, private):
    assert push(folder, *words).returncode == 0
    made = hub.repositories["me/regions"]
    assert (made["type"], made.get("private", made.get("visibility") == "private")) == (
        "dataset",
        private,
    )


def test_a_dry_run_sends_nothing(hub, push, folder):
    done = push(folder, "--dry-run")
    assert done.returncode == 0, done.stderr
    assert (hub.files, hub.repositories, hub.tokens) == ({}, {}, set())
    assert f"visual_genome: {len(shards(folder))} files, " in done.stdout
    assert re.search(r"^licence of \d+ records?: CC BY 4.0", done.stdout, re.MULTILINE)
    assert "not sent, as no manifest lists them: " in done.stdout
    assert len(shards(folder)) >= 4
    assert f"would send {len(shards(folder)) + 3} files, " in done.stdout


def test_a_second_push_sends_no_data_again(hub, push, folder):
    push(folder)
    uploads = list(hub.uploads)
    done = push(folder)
    assert f"sent 0 files ({len(shards(folder))} there before)" in done.stdout
    assert hub.uploads == uploads


def test_a_push_that_broke_off_goes_on(hub, push, folder, monkeypatch):
    monkeypatch.setattr(upload, "_COMMIT_FILES", 1)
    hub.refuse_commit = 3
    done = push(folder)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "the same command goes on where it stopped" in done.stderr
    assert len(hub.commits) == 2
    assert "manifest.json" not in hub.files
    hub.refuse_commit = 0
    uploads = list(hub.uploads)
    done = push(folder)
    assert done.returncode == 0, done.stderr
    assert f"sent {len(shards(folder)) - 2} files (2 there before)" in done.stdout
    assert set(shards(folder)) < hub.files.keys()
    assert len(set(hub.uploads)) == len(hub.uploads) > len(uploads)


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_refusal_is_a_line_without_the_token(hub, push, folder, status):
    hub.status = status
    done = push(folder)
    assert done.returncode == 1
    assert done.stderr.startswith("error: the Hub: ")
    assert str(status) in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") == 1


def test_without_a_token_nothing_is_asked(hub, push, folder, monkeypatch):
    monkeypatch.delenv("HF_TOKEN")
    done = push(folder)
    assert (done.returncode, hub.tokens) == (2, set())
    assert "set HF_TOKEN" in done.stderr


def test_a_hub_that_is_not_there(hub, push, folder, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    done = push(folder)
    assert done.returncode == 1
    assert done.stderr.startswith("error: the Hub: ")


def test_a_file_that_has_changed_is_not_sent(hub, push, folder):
    path = folder / shards(folder)[0]
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    done = push(folder)
    assert done.returncode in (1, 2)
    assert f"{path}" in done.stderr
    assert hub.files == {}


def test_a_file_that_is_missing_is_named_at_once(hub, push, folder):
    path = folder / shards(folder)[0]
    path.unlink()
    done = push(folder, "--dry-run")
    assert done.returncode in (1, 2)
    assert f"{path} is not there" in done.stderr


def test_several_licences_need_to_be_confirmed(hub, push, command_line, sample_world, tmp_path):
    words = ["--sources", "visual_genome,flickr30k", "--data-root", sample_world, "--limit", "2"]
    assert command_line("build", *words, "--output", tmp_path / "mixed").returncode == 0
    refused = push(tmp_path / "mixed")
    assert refused.returncode == 2
    assert "2 licences: CC BY 4.0 (" in refused.stderr
    assert hub.tokens == set()
    dry = push(tmp_path / "mixed", "--dry-run")
    assert "would be refused: the records are under 2 licences" in dry.stderr
    assert (
        "would be refused" not in push(tmp_path / "mixed", "--dry-run", "--mixed-licences").stderr
    )
    assert push(tmp_path / "mixed", "--mixed-licences").returncode == 0
    assert "manifest.json" in hub.files


def test_an_export_is_sent_with_its_list(hub, push, command_line, folder, tmp_path):
    words = ["--format", "parquet", "--to", tmp_path / "out"]
    assert command_line("export", folder, *words).returncode == 0
    (tmp_path / "out" / "mine.txt").write_text("mine", encoding="utf-8")
    done = push(tmp_path / "out")
    assert done.returncode == 0, done.stderr
    listed = (tmp_path / "out" / "files.jsonl").read_bytes().splitlines()
    names = {json.loads(line)["path"] for line in listed}
    assert any(name.endswith(".parquet") for name in names)
    assert hub.files.keys() == {*names, "export.json", "files.jsonl"}


@pytest.fixture
def exported(command_line, folder, tmp_path):
    words = ["--format", "parquet", "--to", tmp_path / "out"]
    assert command_line("export", folder, *words).returncode == 0
    return tmp_path / "out"


def add_line(exported, line):
    with (exported / "files.jsonl").open("a", encoding="utf-8") as file:
        file.write(line + "\n")


def test_a_list_that_has_grown_is_refused(push, exported):
    (exported / "mine.txt").write_text("x", encoding="utf-8")
    add_line(exported, json.dumps({"path": "mine.txt", "bytes": 1, "sha256": "0"}))
    done = push(exported, "--dry-run")
    assert done.returncode == 1
    assert "files.jsonl is not the list that export.json tells of" in done.stderr


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"path": "../x", "bytes": 1, "sha256": "0"}', "expected a path below"),
        ("{}", "missing required field"),
        ("[", "got `array`"),
    ],
)
def test_a_list_with_a_hostile_line_is_refused(push, exported, line, message):
    (exported.parent / "x").write_text("x", encoding="utf-8")
    add_line(exported, line)
    summary = json.loads((exported / "export.json").read_bytes())
    digest = hashlib.sha256((exported / "files.jsonl").read_bytes()).hexdigest()
    (exported / "export.json").write_text(json.dumps(summary | {"files_sha256": digest}), "utf-8")
    done = push(exported, "--dry-run")
    assert done.returncode == 1
    assert message in done.stderr


@pytest.mark.parametrize("name", ["regions", "me/re gions", "me/regions/train", "https://x/me/r"])
def test_a_name_that_is_none_is_refused(command_line, folder, name):
    done = command_line("push", folder, "--repo", name, "--dry-run")
    assert done.returncode == 2
    assert done.stderr.startswith("error: --repo ")


def test_the_endpoint_is_that_of_the_environment(hub, folder):
    env = os.environ | {"HF_ENDPOINT": hub.url, "HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1"}
    words = [sys.executable, "-m", "regionforge", "push", str(folder), *REPO]
    done = subprocess.run(words, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert set(shards(folder)) < hub.files.keys()
    assert TOKEN not in done.stdout + done.stderr
    assert done.stdout.startswith("sent ")
