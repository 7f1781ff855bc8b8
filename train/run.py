"""The folder of a run: its record, and whether a command goes on with it.

    RUN/run.json
    {"identity": {"recipe.learning_rate": 0.001, ..., "shards": ["9f0c..."], "split": "train",
                  "start.vision": "/towers/vision", ...},
     "data": [{"folder": "/shards", "recipe": "proof", "manifest_sha256": "9f0c..."}],
     "precision": {"trained": "float32", "frozen": "bfloat16", "optimizer": "float32",
                   "computation": "bfloat16"},
     "calibration": {"regions": 96, "before": 0.07, "after": 0.61},
     "starts": [{"step": 0, "processes": 1, "device": "cpu", "workers": 2, "micro_batch": 8,
                 "versions": {"regionforge": "0.1.0", "torch": "2.11.0", ...}}],
     "finished_steps": 400}

The identity decides the weights; a command with another one is refused. What may change when a run
goes on is in `starts`: a line for each time that it was started.
"""

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from schemas import json_decoding
from schemas.errors import InputFileError, RegionForgeError, UsageError
from train.plan import Plan, data_digests
from train.start import FINAL, RECORD

_LIBRARIES = ("regionforge", "torch", "transformers", "tokenizers", "safetensors", "peft")
_LEFTOVERS = (f".{FINAL}-*", f"{FINAL}-new", f".{RECORD}", ".log.jsonl", "samples/.*")

Record = dict[str, Any]


def identity_of(plan: Plan) -> Record:
    """Return all that decides the weights, as JSON holds it."""
    identity: Record = {f"recipe.{key}": value for key, value in asdict(plan.recipe).items()}
    identity |= {f"start.{key}": value for key, value in plan.start.as_json().items()}
    identity |= {
        "shards": [build.digest for build in plan.builds],
        "split": plan.split,
        "limit": plan.limit,
        "weights": dict(plan.weights),
    }
    as_json: Record = json.loads(json.dumps(identity))
    return as_json


def read_record(run: Path) -> Record | None:
    """Return the record of a run; None where there is none.

    Raises:
        InputFileError: it cannot be read.
    """
    path = run / RECORD
    try:
        record = json_decoding.load(path.read_bytes())
        record["identity"], record["starts"]
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InputFileError(f"{path}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError):
        raise InputFileError(f"{path} is not the record of a run: name another --output") from None
    return dict(record)


def check_output(plan: Plan) -> Record | None:
    """Return the record of the run that the command goes on with; None for a new run.

    Raises:
        UsageError: the folder holds another run, or what is no run.
    """
    if plan.output.exists() and not plan.output.is_dir():
        raise UsageError(f"--output {plan.output}: not a folder; name another one")
    record = read_record(plan.output)
    if record is None:
        if plan.output.is_dir() and any(plan.output.iterdir()):
            raise UsageError(f"--output {plan.output}: not empty, and no run: name another folder")
        return None
    stated, wanted = record["identity"], identity_of(plan)
    for key in [*wanted, *(stated.keys() - wanted)]:
        if stated.get(key) != wanted.get(key):
            raise UsageError(
                f"--output {plan.output} holds a run with {key} {stated.get(key)!r}, not "
                f"{wanted.get(key)!r}: name another folder, or give the same settings to go on"
            )
    return record


def new_record(plan: Plan) -> Record:
    """Return the record of a run that begins."""
    return {"identity": identity_of(plan), "data": data_digests(plan), "starts": []}


def started(plan: Plan, step: int, processes: int) -> Record:
    """Return the line of a record about a start."""
    return {
        "step": step,
        "processes": processes,
        "device": str(plan.device),
        "workers": plan.workers,
        "micro_batch": plan.micro_batch,
        "versions": versions(),
    }


def versions() -> dict[str, str]:
    """Return the versions of this program and the libraries that compute."""
    known = {}
    for name in _LIBRARIES:
        try:
            known[name] = version(name)
        except PackageNotFoundError:
            known[name] = "unknown"
    return known


def write_record(run: Path, record: Mapping[str, Any]) -> None:
    """Write the record of a run, whole or not at all."""
    write_json(run / RECORD, record)


def write_json(path: Path, content: object) -> None:
    """Write a JSON file, whole or not at all.

    Raises:
        RegionForgeError: it cannot be written.
    """
    unfinished = path.with_name(f".{path.name}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with unfinished.open("w", encoding="utf-8") as file:
            json.dump(content, file, indent=1, ensure_ascii=False)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise RegionForgeError(f"{path}: cannot be written: {error.strerror}") from None


def remove_leftovers(run: Path) -> None:
    """Remove what a crash has left under temporary names."""
    for pattern in _LEFTOVERS:
        for path in run.glob(pattern):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
