"""The dry run: its counts are those of the rows, counted here by themselves."""

import re
from collections import Counter

import pytest

from model.presets import tiny_regiongpt
from model.processor import processor_for
from model.region_model import RegionGPTForConditionalGeneration
from train.cli import run
from train.data.build import Build
from train.data.mix import SomeRows
from train.data.rows import ShardRows
from train.dry_run import answer_lengths


@pytest.fixture
def shown(proof_shards, towers, tmp_path, capsys):
    """Run the dry run with more flags and return its lines by their first word."""

    def lines(*flags):
        words = ["train", "--recipe", "regiongpt_pretrain", "--shards", str(proof_shards)]
        words += [*towers["regiongpt"], "--device", "cpu", "--output", str(tmp_path / "run")]
        assert run([*words, "--dry-run", *flags]) == 0
        assert not (tmp_path / "run").exists()
        return dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())

    return lines


def test_what_a_run_would_do(shown, proof_shards, tokenizer):
    lines = shown("--limit", "60", "--batch", "16", "--epochs", "2", "--rate", "0.5")
    assert lines["rows"].startswith("60 an epoch: ")
    assert sum(map(int, re.findall(r"[a-z0-9] (\d+)", lines["rows"].split(":")[1]))) == 60
    assert lines["steps"] == "8 of 16 rows, 2 epochs"  # 3 whole ones and the rest, twice
    assert lines["time"] == "4 min 16 s at 0.5 rows a second"
    model = RegionGPTForConditionalGeneration(tiny_regiongpt())
    trained = sum(p.numel() for p in model.connector.parameters())
    whole = sum(p.numel() for p in model.parameters())
    assert lines["weights"] == f"{trained:,} train, {whole - trained:,} are frozen"
    assert lines["dropped"].startswith("0.00% of turns, 0.00% of supervised tokens")
    assert "warning:" not in lines


def test_tokens_by_task_are_those_of_the_answers(shown, proof_shards, tokenizer):
    lines = shown("--limit", "200", "--weights", "v3det=2")
    counts = {
        task: int(number.replace(",", ""))
        for task, number in re.findall(r"([a-z_]+) ([\d,]*\d)", lines["tokens"].split(":")[1])
    }
    build = Build.open(proof_shards)
    processor = processor_for(tiny_regiongpt(), tokenizer)
    expected: Counter[str] = Counter()
    rows = SomeRows(ShardRows(build, build.shards("train")), 200, seed=0)
    for row in (rows[number] for number in range(200)):
        answers = [m["content"] for m in row["messages"] if m["role"] == "assistant"]
        for task, answer in zip(row["turn_tasks"], answers, strict=True):
            expected[task] += len(processor.answer_ids(answer))
    assert counts == expected
    assert f"v3det {2 * rows.configs().count('v3det')}" in lines["rows"]


def test_a_dry_run_tries_some_rows_for_all(shown, proof_shards, monkeypatch):
    whole = shown("--limit", "400")["tokens"]
    monkeypatch.setattr("train.dry_run._TRIED", 100)
    part = shown("--limit", "400")
    assert part["tried"].startswith("100 rows")
    assert part["tokens"].startswith("about ")
    first = [
        int(re.findall(r"([\d,]*\d) of", line)[0].replace(",", ""))
        for line in (whole, part["tokens"])
    ]
    assert first[1] == pytest.approx(first[0], rel=0.1)


def test_over_one_percent_dropped_is_a_warning(shown):
    lines = shown("--limit", "200", "--max-length", "120")
    turns, tokens = map(float, re.findall(r"([\d.]+)%", lines["dropped"]))
    assert turns > 1
    assert tokens > 1
    assert lines["warning:"].startswith("over 1% is dropped")


def test_a_picture_that_cannot_be_opened_is_refused(
    proof_shards, towers, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr("train.data.example.picture_bytes", lambda row, root: b"no picture")
    words = ["train", "--recipe", "regiongpt_pretrain", "--shards", str(proof_shards)]
    words += [*towers["regiongpt"], "--device", "cpu", "--output", str(tmp_path / "run")]
    assert run([*words, "--dry-run"]) == 1
    assert re.match(r"error: \w+/train/\S+: ", capsys.readouterr().err)


def test_answers_are_the_runs_of_supervised_tokens():
    assert list(answer_lengths([-100, 5, 6, -100, 7])) == [2, 1]
    assert list(answer_lengths([-100])) == []
