"""The notebook is run as it stands, from pictures to answers, and is stored with its outputs."""

import os
import re
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

CHECKOUT = Path(__file__).resolve().parent.parent
NOTEBOOK = CHECKOUT / "docs" / "notebook" / "own_data.ipynb"
PATIENCE = 900  # seconds, on a machine that has other work; it takes one minute of a processor

# The command, in a process that is forked from one which has its libraries imported.
FORKED = """#!{} -S
import os, sys
sys.path.insert(0, {!r})
from tests.forks import Order, start
order = Order(
    call="regionforge.__main__:main", given=[sys.argv[1:]], folder=os.getcwd(),
    environment=dict(os.environ), needed=["pipelines.cli.build_recipe", "train.start"],
)
sys.exit(start({!r}, order, range(3)).wait())
"""


def cells(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    """Its cells of code."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def printed(cell: nbformat.NotebookNode) -> str:
    """What a cell prints on standard output."""
    return "".join(output.text for output in cell.outputs if output.get("name") == "stdout")


@pytest.fixture(scope="module")
def stored():
    return nbformat.read(NOTEBOOK, as_version=4)


def test_it_is_stored_as_it_was_run(stored):
    nbformat.validate(stored)
    assert [cell.execution_count for cell in cells(stored)] == [*range(1, len(cells(stored)) + 1)]
    outputs = [output for cell in cells(stored) for output in cell.outputs]
    assert {output.output_type for output in outputs} <= {
        *("stream", "display_data", "execute_result"),
    }
    assert any("image/png" in output.get("data", {}) for output in outputs)
    text = NOTEBOOK.read_text(encoding="utf-8")
    assert re.findall(r'"[^"]*(?:/home/|/root/|/tmp/|site-packages)[^"]*"', text) == []
    assert len(text) < 100_000


@pytest.mark.timeout(PATIENCE)
@pytest.mark.filterwarnings("default")  # of the libraries that talk with the kernel
def test_it_runs_and_the_model_answers(stored, forks, tmp_path_factory, tmp_path, monkeypatch):
    # Commands are those of this interpreter, and the packages those of this checkout.
    command = tmp_path_factory.mktemp("bin") / "regionforge"
    command.write_text(FORKED.format(sys.executable, str(CHECKOUT), forks.address))
    command.chmod(0o755)
    for folder in (Path(sys.executable).parent, command.parent):
        monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    monkeypatch.setenv("PYTHONPATH", str(CHECKOUT), prepend=os.pathsep)
    # More threads than idle processors wait for each other, for ten times as long.
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    fresh = nbformat.from_dict(stored)
    client = NotebookClient(
        fresh,
        timeout=PATIENCE,
        kernel_name="python3",
        resources={"metadata": {"path": str(tmp_path)}},
    )
    client.execute()
    for before, now in zip(cells(stored)[:4], cells(fresh)[:4], strict=True):
        seconds = re.compile(r"in [\d.]+ s")  # the drawn data is the same each time
        assert seconds.sub("in 0 s", printed(now)) == seconds.sub("in 0 s", printed(before))
    answers = printed(cells(fresh)[-1]).splitlines()
    right = sum(
        answer == name for answer, name in (re.findall(r"'(.*?)'", a) for a in answers[:10])
    )
    assert right >= 8
    assert answers[10] == f"{right} of 10 are right"
    assert (tmp_path / "report" / "index.html").is_file()
