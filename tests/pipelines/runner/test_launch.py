"""How a run ends that cannot go on: with a line that says what to mend, and status 1."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.cli.parser import run
from pipelines.runner import launch
from schemas.errors import BuildError
from transforms.ledger import StageLedger


@pytest.fixture
def build(two_splits, tmp_path, capsys):
    """Runs `build` on a small data root, with more flags; returns its status and last words."""
    root, _ = two_splits
    output = tmp_path / "output"

    def call(*flags: object) -> tuple[int, str]:
        words = ["build", "--sources", "coco", "--data-root", root, "--output", output]
        labels = ["--label-set", "Things", "--no-guard"]
        status = run(list(map(str, [*words, *labels, *flags])))
        return status, capsys.readouterr().err

    return call, output


@pytest.mark.parametrize("workers", [1, 2])
def test_a_file_that_cannot_be_written_is_named(two_splits, new_process, tmp_path, workers):
    root, _ = two_splits
    output = tmp_path / "output"
    (output / "_state").mkdir(parents=True)
    (output / "_state" / "build.json").write_text("{}")
    (output / "coco").write_text("a file where a folder belongs")
    words = ["build", "--sources", "coco", "--data-root", root, "--output", output]
    done = new_process(*words, "--label-set", "Things", "--no-guard", "--workers", workers)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1] == (
        f"error: a file could not be read or written: File exists: '{output}/coco'. Finished "
        "shards are kept: mend it and run the same command again."
    )


def test_words_of_beam_are_left_out(two_splits, run_build, monkeypatch):
    def fail(*_):
        raise BuildError("the server is gone")

    monkeypatch.setattr("pipelines.write.write_shard", fail)
    root, _ = two_splits
    with pytest.raises(BuildError) as raised:
        run_build(root, request={"label_set": "Things"})
    assert str(raised.value) == "the server is gone"


def test_a_fault_of_ours_is_not_explained_away(two_splits, run_build, monkeypatch):
    def fail(*_):
        raise KeyError("nothing")

    monkeypatch.setattr("pipelines.write.write_shard", fail)
    root, _ = two_splits
    with pytest.raises(KeyError):
        run_build(root, request={"label_set": "Things"})


def test_a_remote_runner_that_lacks_flags_says_so(build, tmp_path, monkeypatch):
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    call, _ = build
    status, console = call("--runner", "DataflowRunner")
    assert list((tmp_path / "temporary").iterdir()) == []
    assert status == 2
    assert "error: --runner DataflowRunner did not start: " in console
    assert "temp_location" in console
    assert call("--label-set", "Others")[0] == 0, "it has claimed nothing"


@pytest.mark.parametrize(
    "flag", ["--direct_num_workers=3", "--direct_running_mode=multi_threading"]
)
def test_how_a_local_run_is_spread_out_is_said_by_workers(build, flag):
    call, output = build
    status, console = call(flag)
    assert status == 2
    assert "is not for you to choose: --workers N is" in console
    assert not output.exists()


def test_workers_are_reached_without_the_proxy_of_the_environment(
    two_splits, new_process, tmp_path
):
    root, _ = two_splits
    words = ["build", "--sources", "coco", "--data-root", root, "--output", tmp_path / "output"]
    proxies = dict.fromkeys(["http_proxy", "https_proxy", "grpc_proxy"], "http://127.0.0.1:9")
    words += ["--label-set", "Things", "--no-guard", "--workers", 2]
    done = new_process(*words, **proxies)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("stage", ["transforms.screen", "transforms.compose"])
def test_a_stage_that_loses_an_item_ends_the_build(two_splits, run_build, monkeypatch, stage):
    ledger = StageLedger.kept
    lost: list[object] = []

    def forget(self, image, kind, number=1):
        if kind == "image" and self.stage in stage and not lost:
            lost.append(image)
            return
        ledger(self, image, kind, number)

    monkeypatch.setattr(StageLedger, "kept", forget)
    root, _ = two_splits
    with pytest.raises(BuildError, match="the ledger does not balance: coco/"):
        run_build(root, (folder := Path(root).parent / "output"), request={"label_set": "Things"})
    assert lost
    assert not (folder / "manifest.json").exists()


def test_a_dry_run_refuses_what_the_build_would(build, two_splits):
    call, _ = build
    assert call("--dry-run")[0] == 0
    assert call("--seed", 1)[0] == 0
    status, console = call("--dry-run")
    assert (status, "which differs in coco: seed (1, now 0)" in console) == (1, True)
    assert call("--dry-run", "--rebuild")[0] == 0
    _, splits = two_splits
    for split in splits.values():
        for picture in split.pictures.iterdir():
            picture.unlink()
    status, console = call("--dry-run", "--seed", 1)
    assert (status, "expected its 3 pictures below" in console) == (1, True)
    splits["val"].file.write_text("[")
    status, console = call("--dry-run", "--rebuild")
    assert (status, "instances_val2017.json" in console) == (1, True)


@pytest.mark.parametrize(
    ("words", "is_watched"),
    [
        (["build", "--sources", "coco"], True),
        (["build", "--sources", "coco", "--runner", "PrismRunner"], False),  # on other machines
        (["recap", "--source", "coco", "--captioner", "builtin", "--no-filter"], False),  # patient
    ],
)
def test_what_stands_still_in_one_process_is_seen(
    words, is_watched, sample_world, tmp_path, monkeypatch
):
    watches = []
    monkeypatch.setattr(launch, "run_watched", lambda *given: watches.append(given[-2:]))
    words = [*words, "--label-set", "Shapes-15", "--data-root", str(sample_world)]
    run([*words, "--output", str(tmp_path / "output")])
    assert [display is not None for display, _ in watches] == [is_watched]
    assert [workers is not None for _, workers in watches] == ["PrismRunner" in words]


STORE_OPTIONS_OF_WORKERS = """
import sys
import apache_beam as beam
from pipelines.runner import beam_flags, launch

def note(path):
    from pathlib import Path
    from pipelines.storage.store_client import store_options
    Path(path).write_text(repr(store_options()), encoding="utf-8")

beam_flags.open_remote_files(["--s3_region_name", "moon", "--s3_disable_ssl"])
options = launch.LaunchOptions(workers=2, fork=sys.argv[2] == "fork")
with launch._started_runner(options) as (runner, _):
    pipeline = beam.Pipeline(runner, options=launch._pipeline_options(options))
    pipeline | beam.Create([sys.argv[1]]) | beam.Map(note)
    pipeline.run().wait_until_finish()
"""


@pytest.mark.parametrize("start", ["fork", "anew"])
def test_flags_for_stores_reach_the_workers(tmp_path: Path, start: str) -> None:
    words = [sys.executable, "-c", STORE_OPTIONS_OF_WORKERS, str(tmp_path / "noted"), start]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    noted = ast.literal_eval((tmp_path / "noted").read_text(encoding="utf-8"))
    assert noted == {"s3_region_name": "moon", "s3_disable_ssl": True}
