"""What would go unseen if the fuzzer did not look: each deliberate fault is found, and named."""

import os
import re
import resource
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from pipelines.datasets.coco import source as coco
from pipelines.datasets.common.bins import Division
from pipelines.verify import verify
from schemas.errors import InputFileError
from schemas.rejection import Kind, Reason, Rejected
from schemas.source import Count, SourceImage
from tests.forks import Forks, Order
from tests.fuzz import kills, rows, watch
from tests.fuzz.__main__ import CASES
from tests.fuzz.annotations import Case, case_of, run_case, shrunk
from tests.fuzz.json_faults import OPERATORS, Raw, encode
from tests.fuzz.mutate import Mutation, mutate
from tests.fuzz.processes import members
from tests.fuzz.report import RESULTS, Report, joined
from tests.fuzz.result import Result
from tests.fuzz.stages import STAGES
from tests.fuzz.targets import Target, world_targets, write_small_world


@pytest.fixture(scope="module")
def target(made_once, tmp_path_factory) -> Target:
    folder = made_once("fuzz", lambda folder: write_small_world(folder / "world"))
    targets = world_targets(folder / "world", tmp_path_factory.mktemp("target"))
    return next(target for target in targets if target.name == "world coco 2017")


@contextmanager
def changed(name, value):
    """Let a function of COCO's declaration be another one."""
    right = getattr(coco.SPEC, name)
    object.__setattr__(coco.SPEC, name, value)
    try:
        yield
    finally:
        object.__setattr__(coco.SPEC, name, right)


def spoilt(does):
    """Let the reader of COCO do something first, with the split and the files that it reads."""
    parse = coco.SPEC.parse

    def spoilt_parse(split, store):
        yield from does(split, store) or ()
        yield from parse(split, store)

    return changed("parse", spoilt_parse)


@pytest.fixture
def faults_of(target):
    """The faults of a whole file, read by code that does something to it first."""

    def run(does, parts: int = 1) -> list[str]:
        path = target.files[0]
        mutation = Mutation(target.contents[path], ())
        case = Case(name="x", target=target, path=path, mutation=mutation, parts=parts)
        with spoilt(lambda split, _: does(split)):
            return run_case(case).faults

    return run


def raises(error):
    def does(_):
        raise error

    return does


def test_whole_files_have_no_fault(faults_of):
    assert faults_of(lambda _: None) == []


@pytest.mark.parametrize(
    ("does", "fault"),
    [
        (raises(KeyError("bbox")), "KeyError: 'bbox'"),
        (raises(RecursionError("too deep")), "RecursionError: too deep"),
        (raises(InputFileError("it is bad")), "does not name instances_"),
        (lambda split: [Count(Kind.IMAGE, "read", 1)], "read 19, but kept 18"),
        (lambda _: Path("/etc/hostname").read_bytes() and None, "opens '/etc/hostname'"),
        (lambda _: Path("/tmp/elsewhere").write_bytes(b"x") and None, "writes '/tmp/elsewhere'"),
        (lambda _: os.system("true") and None, "os.system"),
        (lambda _: subprocess.run(["true"], check=True) and None, "subprocess.Popen"),
    ],
)  # fmt: skip
def test_a_deliberate_fault_is_found(faults_of, does, fault):
    assert any(fault in found for found in faults_of(does)), faults_of(does)
    Path("/tmp/elsewhere").unlink(missing_ok=True)


def test_what_a_thread_opens_later_is_found_too(tmp_path):
    def work():
        time.sleep(0.2)
        Path("/etc/hostname").read_bytes()

    with watch.watched(tmp_path) as seen, watch.outlasted_threads():
        threading.Thread(target=work).start()
    assert seen.faults == ["opens '/etc/hostname'"]


def test_a_hang_is_found(faults_of, monkeypatch):
    monkeypatch.setattr(watch, "HANG_SECONDS", 0.2)  # of work

    def hang(_):
        while True:
            pass

    assert any("hangs" in fault for fault in faults_of(hang))


def test_memory_is_watched(faults_of, monkeypatch):
    monkeypatch.setattr(watch, "MEMORY_BYTES", 20 << 20)
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    # A little above the peak of this process, which may be gigabytes.
    spare = watch.peak_bytes() - pages * resource.getpagesize() + (60 << 20)
    faults = faults_of(lambda _: bytearray(spare) and None)
    assert any("MiB of memory" in fault for fault in faults)


def test_a_rejection_without_detail_is_found(faults_of):
    from pipelines.datasets.common.entries import rejection

    def does(split):
        yield Count(Kind.IMAGE, "read", 1)
        yield rejection(split, Kind.IMAGE, "9", Rejected(Reason.MALFORMED, ""))

    assert any("without id or detail" in fault for fault in faults_of(does))


def test_a_division_that_reads_otherwise_is_found(faults_of):
    def divide(split, store, parts, indexes):
        entries = [*coco.parse(split, store), Count(Kind.IMAGE, "read", parts)]
        return Division(
            [entry for entry in entries if not isinstance(entry, SourceImage)], iter(())
        )

    assert faults_of(lambda _: None, parts=3) == []
    with changed("divide", divide):
        faults = faults_of(lambda _: None, parts=3)
    assert any("in 3 parts, images" in fault for fault in faults)
    assert any("in 3 parts, counts" in fault for fault in faults)


def test_a_number_is_a_case(target):
    cases = [case_of([target], "world", number, seed=0) for number in range(30)]
    again = [case_of([target], "world", number, seed=0) for number in range(30)]
    other = [case_of([target], "world", number, seed=1) for number in range(30)]
    assert [case.mutation for case in cases] == [case.mutation for case in again]
    assert [case.mutation for case in cases] != [case.mutation for case in other]


def test_every_operator_changes_something():
    operators: Counter[str] = Counter()
    document = (
        b'{"images": [{"id": 1, "file_name": "1.jpg", "width": 4}], "annotations": [{"id": 5, '
        b'"bbox": [1, 2, 3, 4], "segmentation": [[1, 2, 3, 4, 5, 6]]}, {"id": 6}]}'
    )
    for number in range(600):
        operators.update(mutate(document, ".json", Random(number)).operators)
    assert operators.keys() >= OPERATORS.keys()


def test_raw_text_goes_into_json_as_it_is():
    assert encode({"a": [Raw("1e400"), Raw('1,"b":2')]}) == b'{"a": [1e400, 1,"b":2]}'


def test_a_fault_is_shrunk_and_named(target):
    def does(split, store):
        if bytes(4) in store.read(split.file):
            raise KeyError("zeros")

    name, content = "annotations-world:7", b" " * 200 + bytes(16) + b" " * 3_000
    mutation = Mutation(content, ("zeros",))
    case = Case(name=name, target=target, path=target.files[0], mutation=mutation)
    with spoilt(does):
        result, short = run_case(case), shrunk(case)
    assert bytes(4) in short
    assert len(short) < 40
    report = Report(seed=5)
    report.add(result)
    text = report.text(Path("/results"))
    assert "1 faults" in text
    assert "python -m tests.fuzz --seed 5 --case annotations-world:7" in text
    assert re.search(r"KeyError: 'zeros' .*does", text)


@pytest.fixture
def fuzz(forks: Forks, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the command `python -m tests.fuzz`; returns what it printed."""

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        order = Order(
            call="tests.fuzz.__main__:main",
            given=[["--folder", str(tmp_path), *words]],
            folder=os.getcwd(),
            environment=dict(os.environ),
        )
        return forks.run(order)

    return run


def test_the_command_runs_a_few_cases_of_each_stage(fuzz, tmp_path):
    stages = {"annotations-world": 6, "builds": 1, "answers": 1, "rows": 1, "kills": 1,
              "recap-kills": 1}  # fmt: skip
    words = [word for name, number in stages.items() for word in ("--only", f"{name}={number}")]
    done = fuzz(*words)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.match(r"\d+ mutations in 11 cases, seed 0, .* minutes: 0 faults", done.stdout)
    assert len((tmp_path / "results.jsonl").read_text().splitlines()) == 11


def test_the_whole_run_has_cases_of_every_stage():
    assert CASES.keys() == STAGES.keys()


def test_no_case_is_begun_when_the_time_is_up(fuzz):
    done = fuzz("--minutes", "0", "--only", "annotations-world=6")
    assert "NOT RUN, for the time was up: annotations-world 6" in done.stdout


def test_a_doctored_shard_that_passes_is_found(target, tmp_path, monkeypatch):
    calls: list[str] = []

    def blind(output):
        calls.append(output)
        return verify(output) if len(calls) == 1 else replace(verify(output), problems=[])

    monkeypatch.setattr(rows, "verify", blind)
    (result,) = rows.run_rows(target.whole, tmp_path, [0], seed=0)
    assert len(result.faults) > 5
    assert re.match(r"coco/\w+-\S+\.arrow passes: .*, (not )?sealed", result.faults[0])


def test_an_output_that_is_not_the_same_is_found(tmp_path):
    expected = {"coco/a.arrow": "1", "ledger.json": "2"}
    assert kills.differences(expected, {"coco/a.arrow": "1", "ledger.json": "2"}) == []
    assert "ledger.json" in kills.differences(expected, {"coco/a.arrow": "1"})[0]
    assert "b.arrow" in kills.differences(expected, {**expected, "coco/b.arrow": "3"})[0]


def test_a_run_that_is_not_over_in_time_is_not_compared(tmp_path, monkeypatch):
    monkeypatch.setattr(kills, "ENDING_MAY_TAKE", 0.2)
    process = kills.forked(lambda: time.sleep(60), tmp_path / "slow")
    (fault,) = kills.faults_of_ending(process, tmp_path / "slow")
    assert fault.startswith("the rerun does not end within 0.2 s")
    assert not members(process)


def test_the_reports_of_pieces_add_up(tmp_path):
    results = [Result(case=f"rows:{n}", target="rows", mutations=100) for n in range(4)]
    results[3].faults.append("hangs")
    for name, some in (("a", results[:3]), ("b", results[2:])):
        folder = tmp_path / name
        folder.mkdir()
        lines = "".join(f"{result.line()}\n" for result in some)
        (folder / RESULTS).write_text(lines, encoding="utf-8")
        piece = Report(seed=7, seconds=30)
        piece.left_out["kills"] = 2
        piece.save(folder)
    report = joined([tmp_path / "a", tmp_path / "b"])
    assert (report.mutations["rows"], report.cases["rows"]) == (400, 4)
    assert report.left_out == {"kills": 4}
    first = report.text(tmp_path).splitlines()[0]
    assert first == "400 mutations in 4 cases, seed 7, 1.0 minutes: 1 faults"
    assert [each.case for each in report.faulty] == ["rows:3"]
