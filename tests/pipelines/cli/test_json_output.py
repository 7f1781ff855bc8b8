"""What programs read: --json prints one document, whose keys and values are stable."""

import json
import re

import pytest

from pipelines.cli.parser import run


@pytest.fixture
def document(two_splits, tmp_path, capsys):
    """Runs a command with --json; returns its exit status and the document."""
    root, splits = two_splits
    splits["val"].listed(6, "6.jpg", None)
    splits["val"].region(63, 6)
    splits["val"].save()
    words = ["--sources", "coco", "--data-root", root, "--label-set", "Things"]
    build = ["build", *words, "--output", tmp_path / "out"]

    def call(*command):
        given = build[1:] if command[0] == "build" else []
        status = run([str(word) for word in (command[0], *given, *command[1:], "--json")])
        shown = capsys.readouterr().out
        assert shown.isascii()
        return status, json.loads(re.sub(re.escape(str(tmp_path)), "/T", shown))

    return call


def test_a_dry_run(document):
    status, shown = document("build", "--dry-run")
    assert status == 0
    for split in shown["splits"]:
        for name in ("picture_bytes", "bytes"):
            assert split.pop(name) > 0
    assert shown.pop("bytes") > 0
    assert shown.pop("free_bytes") > 0
    annotations = sum(split.pop("annotation_bytes") for split in shown["splits"])
    assert shown.pop("temporary_bytes") == pytest.approx(annotations * 0.3, abs=2)
    train = {
        "source": "coco", "split": "train", "images": 3, "regions": 6, "missing_images": 0,
        "shards": 1, "rejected": {}, "left_out_with_image": {},
    }  # fmt: skip
    val = {
        "source": "coco", "split": "val", "images": 2, "regions": 4, "missing_images": 1,
        "shards": 1, "rejected": {"image": {"image_missing": 1}},
        "left_out_with_image": {"annotation": 2},
    }  # fmt: skip
    assert shown == {
        "command": "build", "dry_run": True, "output": "/T/out", "shards": 2,
        "splits": [train, val], "warnings": shown["warnings"],
    }  # fmt: skip
    assert all(isinstance(line, str) for line in shown["warnings"])


def test_a_build_and_its_verification(document, tmp_path):
    status, shown = document("build")
    assert status == 0
    assert shown.pop("seconds") > 0
    size = shown["bytes"]
    assert size == sum(path.stat().st_size for path in (tmp_path / "out").glob("coco/*.arrow"))
    train = {"images": 3, "regions": 6, "conversations": 3, "rejected": 0, "sampled_out": 0}
    val = {"images": 2, "regions": 4, "conversations": 2, "rejected": 1, "sampled_out": 0}
    share = {
        "source": "coco", "task": "region_classification", "turns": 10, "turn_share": 1.0,
        "words": shown["mix"][0]["words"], "word_share": 1.0,
    }  # fmt: skip
    assert shown == {
        "command": "build", "output": "/T/out", "config": "coco", "records": 5, "shards": 2,
        "bytes": size,
        "splits": [
            {"source": "coco", "split": "train", **train},
            {"source": "coco", "split": "val", **val},
        ],
        "rejected": {"image": {"image_missing": 1}}, "repaired": {}, "mix": [share],
        "warnings": shown["warnings"],
    }  # fmt: skip
    whole = {
        "command": "verify", "output": "/T/out", "ok": True, "records": 5, "shards": 2,
        "bytes": size, "problems": [],
    }  # fmt: skip
    assert document("verify", tmp_path / "out") == (0, whole)
    (tmp_path / "out" / "README.md").unlink()
    status, shown = document("verify", tmp_path / "out")
    assert (status, shown["ok"]) == (1, False)
    assert any("README.md" in problem for problem in shown["problems"])


def test_sources(document, two_splits):
    root, _ = two_splits
    status, shown = document("sources", "coco", "--data-root", root)
    assert (status, shown["command"]) == (0, "sources")
    (coco,) = shown["sources"]
    assert coco.keys() == {"name", "title", "licence", "obtain", "complete", "splits"}
    assert coco["complete"] == ["train 2017", "val 2017"]
    first, *_, last = coco["splits"]
    assert (first["split"], first["complete"]) == ("train 2014", False)
    assert {file["state"] for file in first["files"]} == {"missing"}
    assert last == {
        "split": "val 2017",
        "complete": True,
        "files": [
            {"role": role, "path": path, "state": "found", "optional": False}
            for role, path in (
                ("val", f"{shown['data_root']}/coco/annotations/instances_val2017.json"),
                ("images", f"{shown['data_root']}/coco/val2017"),
            )
        ],
    }
