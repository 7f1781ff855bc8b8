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
    assert " coco train 3 3 3 1 3 " in shown
    assert " coco val 2 2 2 2 2 " in shown
    assert "rejected: annotation crowd 3 (see" in shown
    assert "left out with a rejected image" not in shown


def test_a_split_of_which_nothing_is_left_is_named(two_splits, tmp_path, capsys):
    root, splits = two_splits
    for picture in splits["val"].pictures.iterdir():
        picture.unlink()
    words = ["build", "--sources", "coco", "--data-root", str(root), "--label-set", "Things"]
    assert run([*words, "--allow-missing", "--output", str(tmp_path / "out")]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert [line for line in shown if "nothing was kept" in line] == [
        "nothing was kept of coco/val: image_missing 2"
    ]
    assert "left out with a rejected image: annotation 4" in shown
    card = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert "\n- annotation: left out with a rejected image: 4\n" in card


def test_what_is_missing_is_the_last_that_is_said(coco_file, command_line, tmp_path):
    """Two of ten pictures are gone, and most regions are marked as crowds."""
    owner = coco_file().good(*range(1, 11))
    for image in (1, 2):
        (owner.pictures / f"{image}.jpg").unlink()
    for number in range(200, 240):
        owner.region(number, 3, iscrowd=1)
    owner.region(300, 3, bbox=[40, 20, 20, 20])
    owner.save()
    words = ["--coco-annotations", owner.file, "--coco-images", owner.pictures]
    done = command_line("build", "--sources", "coco", *words, "--output", tmp_path / "out")
    assert done.returncode == 0
    *_, missing, little = done.stdout.splitlines()
    assert missing == (
        "warning: coco/train: missing: 2 of 10 pictures (20%), e.g. 1: no file '1.jpg' in the "
        "folder"
    )
    assert little.startswith(
        "warning: coco/train: little was kept, 17 of 61 annotations; mostly annotation crowd 40, "
        "e.g. 200: "
    )
    assert "--coco-crowds objects" in little
    assert "; image image_missing 2, e.g. 1: no file '1.jpg' in the folder (" in little
    assert "repaired: annotation box_clipped 1" in done.stdout


def test_of_sound_input_no_loss_is_said(coco_file, command_line, tmp_path):
    owner = coco_file().good(*range(1, 22)).save()
    (owner.pictures / "1.jpg").unlink()
    words = ["--coco-annotations", owner.file, "--coco-images", owner.pictures]
    done = command_line("build", "--sources", "coco", *words, "--output", tmp_path / "out")
    assert done.stdout.splitlines()[-1].startswith("data = load_dataset(")


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
