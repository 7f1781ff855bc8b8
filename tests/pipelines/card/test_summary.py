"""What a person reads at the end of a build: the figures of each split, and what was rejected."""

from rich.filesize import decimal

from pipelines.cli.parser import run
from pipelines.preview import build_facts


def test_each_split_has_its_own_figures(two_splits, tmp_path, capsys):
    root, splits = two_splits
    splits["train"].region(13, 1, iscrowd=1)
    splits["val"].region(43, 4, iscrowd=1)
    splits["val"].region(53, 5, iscrowd=1)
    for split in splits.values():
        split.save()
    words = ["build", "--sources", "coco", "--data-root", str(root), "--label-set", "Things"]
    assert run([*words, "--per-image", "1", "--output", str(tmp_path / "out")]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    # Images, regions, conversations, rejected, sampled out.
    assert "│ coco │ train │ 3 │ 3 │ 3 │ 1 │ 3 │" in shown
    assert "│ coco │ val │ 2 │ 2 │ 2 │ 2 │ 2 │" in shown
    assert "rejected: annotation crowd 3 (see" in shown
    assert "left out with a rejected image" not in shown


def test_a_split_of_which_nothing_is_left_is_named(two_splits, tmp_path, capsys):
    root, splits = two_splits
    for picture in splits["val"].pictures.iterdir():
        picture.unlink()
    words = ["build", "--sources", "coco", "--data-root", str(root), "--label-set", "Things"]
    assert run([*words, "--output", str(tmp_path / "out")]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert [line for line in shown if "nothing was kept" in line] == [
        "nothing was kept of coco/val: image_missing 2"
    ]
    assert "left out with a rejected image: annotation 4" in shown
    card = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert "\n- annotation: left out with a rejected image: 4\n" in card


def test_a_size_reads_the_same_wherever_it_is_shown(two_splits, tmp_path, capsys):
    root, _ = two_splits
    out = str(tmp_path / "out")
    words = ["build", "--sources", "coco", "--data-root", str(root), "--label-set", "Things"]
    assert run([*words, "--output", out]) == 0
    size = decimal(sum(path.stat().st_size for path in (tmp_path / "out").rglob("*.arrow")))
    assert size.endswith(" kB"), "units are powers of 1000"
    assert f"2 shards, {size}, in " in capsys.readouterr().out
    assert run(["verify", out]) == 0
    assert f"2 shards, {size}\n" in capsys.readouterr().out
    assert build_facts(out)["Build"]["shards"] == f"2, {size}"
