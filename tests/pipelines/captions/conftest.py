"""What tests of builds with RecapD share: runs of `recap`, a second reader, altered outputs."""

import json
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pytest

from pipelines.cli import parser as cli

LABEL_SETS = {"coco": "Shapes-15", "lvis": "Figures-15"}  # the sample world's

Rows = list[dict[str, Any]]


class Caption(NamedTuple):
    """A caption as the shards of `recap` have it."""

    text: str
    texts: list[dict[str, Any]]
    model: str
    sampling: str
    global_caption: str


class Commands:
    """`recap` and `build` as they are typed, in this process, on the sample world."""

    def __init__(self, world: Path, capfd: Any) -> None:
        self.world = world
        self._capfd = capfd

    def __call__(self, *words: object) -> tuple[int, str]:
        """Run any command: its exit status and all that it said, on one line."""
        status = cli.run([str(word) for word in words])
        return status, " ".join("\n".join(self._capfd.readouterr()).split())

    def recap(self, output: Path, *words: object, source: str = "v3det") -> Path:
        """Caption a source with the captioner that needs no server."""
        named = ["--label-set", LABEL_SETS[source]] if source in LABEL_SETS else []
        where = ["--source", source, "--data-root", self.world, "--output", output, *named]
        status, console = self("recap", *where, "--captioner", "builtin", "--no-filter", *words)
        assert status == 0, console
        return output

    def build(self, output: Path, *words: object, source: str = "v3det") -> tuple[int, str]:
        """Build a source alone."""
        named = ["--label-set", LABEL_SETS[source]] if source in LABEL_SETS else []
        where = ["--sources", source, "--data-root", self.world, "--output", output, *named]
        return self("build", *where, *words)

    def finetune(self, output: Path, *words: object) -> tuple[int, str]:
        """Build RegionGPT's mix."""
        return self(*words_to_finetune(self.world), "--output", output, *words)


def words_to_finetune(world: Path) -> list[object]:
    """The words that build RegionGPT's mix, but for those that say where to."""
    named = [f"--label-set={name}={labels}" for name, labels in LABEL_SETS.items()]
    return ["build", "--recipe", "regiongpt_finetune", "--data-root", world, *named]


@pytest.fixture(scope="session")
def finetune_words(sample_world: Path) -> list[object]:
    """The words that build RegionGPT's mix on the sample world, but for those that say where to."""
    return words_to_finetune(sample_world)


@pytest.fixture
def commands(sample_world: Path, capfd: Any) -> Commands:
    """Runs commands on the sample world."""
    return Commands(sample_world, capfd)


@pytest.fixture(scope="session")
def captioned_by(
    command_line: Any, sample_world: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Path]:
    """Describes V3Det under some flags of `recap`, once for the same flags; read-only."""

    @cache
    def run(*flags: object) -> Path:
        folder = tmp_path_factory.mktemp("captioned") / "recapd"
        where = ["--source", "v3det", "--data-root", sample_world, "--output", folder]
        done = command_line("recap", *where, "--captioner", "builtin", "--no-filter", *flags)
        assert done.returncode == 0, done.stderr
        return folder

    return run


@pytest.fixture(scope="session")
def captioned_once(captioned_by: Callable[..., Path]) -> Path:
    """Ten regions of every category of V3Det, described; read-only."""
    return captioned_by("--per-category", 10)


@pytest.fixture
def captioned(captioned_once: Path, tmp_path: Path) -> Path:
    """The same in a folder of the test's own."""
    return Path(shutil.copytree(captioned_once, tmp_path / "recapd"))


def read_rows(folder: Path, shards: str = "*/*.arrow") -> Rows:
    """Every record of an output."""
    rows: Rows = []
    for path in sorted(folder.glob(shards)):
        with pa.OSFile(str(path)) as file, pa.ipc.open_stream(file) as stream:
            rows += stream.read_all().to_pylist()
    return rows


@pytest.fixture(scope="session")
def captions_of() -> Callable[[Path], dict[tuple[str, str, str], Caption]]:
    """Reads captions by split, picture and region, without a word of the builder's code."""

    def read(folder: Path) -> dict[tuple[str, str, str], Caption]:
        captions = {}
        for row in read_rows(folder, "recapd/*.arrow"):
            by = row["provenance"]
            provenance = by["captioner_model"], by["captioner_sampling"], by["global_caption"]
            for region in row["regions"]:
                key = row["split"], row["image"]["path"].rpartition("/")[2], region["region_id"]
                assert key not in captions
                captions[key] = Caption(region["caption"], region["captions"], *provenance)
        return captions

    return read


@pytest.fixture
def altered(captioned: Path, tmp_path: Path) -> Callable[..., Path]:
    """Writes RecapD anew with the rows of its split to train changed; the manifest fits."""

    def write(change: Callable[[Rows], Rows], **identity: Any) -> Path:
        folder = tmp_path / "altered"
        shutil.copytree(captioned, folder)
        path = next(folder.glob("recapd/train-*.arrow"))
        with pa.OSFile(str(path)) as file, pa.ipc.open_stream(file) as stream:
            table = stream.read_all()
        rows = change(table.to_pylist())
        made = pa.Table.from_pylist(rows, schema=table.schema)
        with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, table.schema) as stream:
            stream.write_table(made)
        manifest = json.loads((folder / "manifest.json").read_bytes())
        (shard,) = [item for item in manifest["shards"] if item["split"] == "train"]
        shard |= {"rows": len(rows), "bytes": path.stat().st_size}
        manifest["identity"] |= identity
        (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
        return folder

    return write
