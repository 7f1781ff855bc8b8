"""Checkpoints of a run: weights that train, the optimizer's moments, and where the run is.

    RUN/checkpoints/step-00001000/
      weights/*.safetensors        the parameters that train, by their names in the model
      optimizer/*.safetensors      NAME/exp_avg, NAME/exp_avg_sq, NAME/step for each of them
      state.json                   the format, the number of steps done, each process's random
                                   states, the run

torch's distributed checkpoint writes the tensors, each process its own part, and reads them with
any number of processes. It has a storage in safetensors; its usual one is a pickle. A checkpoint is
written under a temporary name and renamed last: what bears a final name is whole.
"""

import json
import shutil
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from torch.distributed import checkpoint as distributed_checkpoint
from torch.distributed.checkpoint import HuggingFaceStorageReader, HuggingFaceStorageWriter
from torch.distributed.checkpoint.api import CheckpointException

from schemas import json_decoding
from schemas.errors import UsageError
from train.processes import Processes
from train.sharding import at_rest

FORMAT = 2  # 1 had one random state, of a CPU
FOLDER = "checkpoints"
STATE = "state.json"
_TEMPORARY = ".tmp-"


class CheckpointError(UsageError):
    """A checkpoint that cannot be written or read."""


def checkpoint_path(run: Path, steps: int) -> Path:
    """Return the folder of the checkpoint after a number of steps."""
    return run / FOLDER / f"step-{steps:08d}"


def checkpoints(run: Path) -> list[Path]:
    """Return the finished checkpoints of a run, oldest first."""
    return sorted((run / FOLDER).glob("step-*"))


def save(
    run: Path,
    steps: int,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    *,
    state: Mapping[str, Any],
    processes: Processes,
) -> Path:
    """Write the checkpoint after a number of steps, and return its folder.

    Args:
        run: the run's folder.
        steps: that are done.
        model: its trained parameters are written.
        optimizer: of those parameters.
        state: what else the run wants back, as JSON holds it.
        processes: those that take part.

    Raises:
        CheckpointError: it cannot be written; nothing is left behind.
    """
    final = checkpoint_path(run, steps)
    unfinished = final.with_name(f"{_TEMPORARY}{final.name}")
    parts = {"weights": _weights(model), "optimizer": _moments(model, optimizer)}
    random = _random_states(processes)
    content = {"format": FORMAT, "steps": steps, "random": random, **state}
    with _all_or_none(final, unfinished, processes):
        if processes.leads:
            shutil.rmtree(unfinished, ignore_errors=True)
            unfinished.mkdir(parents=True)
    with _all_or_none(final, unfinished, processes), _alone(processes) as alone:
        for part, tensors in parts.items():
            writer = HuggingFaceStorageWriter(str(unfinished / part), save_distributed=True)
            distributed_checkpoint.save(tensors, storage_writer=writer, no_dist=alone)
    with _all_or_none(final, unfinished, processes):
        if processes.leads:
            (unfinished / STATE).write_text(json.dumps(content), encoding="utf-8")
            shutil.rmtree(final, ignore_errors=True)
            unfinished.rename(final)
    return final


def load(
    folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer, processes: Processes
) -> dict[str, Any]:
    """Read a checkpoint into a model and its optimizer, and return its state.

    Raises:
        CheckpointError: it is not one of ours, or of another model.
    """
    state = read_state(folder)
    _refuse_foreign(folder)
    parts = {"weights": _weights(model), "optimizer": _moments(model, optimizer)}
    try:
        for name, tensors in parts.items():
            _check_tensors(folder / name, tensors)
        for name, tensors in parts.items():
            reader = HuggingFaceStorageReader(str(folder / name))
            with _alone(processes) as alone:
                distributed_checkpoint.load(tensors, storage_reader=reader, no_dist=alone)
    except (OSError, SafetensorError, CheckpointException) as error:
        raise CheckpointError(f"cannot read the checkpoint {folder}: {_cause(error)}") from None
    _set_random_states(state["random"], processes)
    return state


def load_weights(folder: Path, model: nn.Module) -> None:
    """Read the weights of a checkpoint into the parameters that trained, for another run.

    Raises:
        CheckpointError: it is not one of ours, or of another model.
    """
    read_state(folder)
    _refuse_foreign(folder)
    weights = _weights(model)
    try:
        _check_tensors(folder / "weights", weights)
        reader = HuggingFaceStorageReader(str(folder / "weights"))
        with _alone(Processes(device=torch.device("cpu"))):
            distributed_checkpoint.load(weights, storage_reader=reader, no_dist=True)
    except (OSError, SafetensorError, CheckpointException) as error:
        raise CheckpointError(f"cannot read the checkpoint {folder}: {_cause(error)}") from None


def read_state(folder: Path) -> dict[str, Any]:
    """Return the state of a checkpoint.

    Raises:
        CheckpointError: there is none, or it is of another format.
    """
    path = folder / STATE
    try:
        state: dict[str, Any] = json_decoding.load(path.read_bytes())
        version = state["format"]
    except OSError as error:
        raise CheckpointError(f"{path}: {error.strerror}: expected a checkpoint's folder") from None
    except (ValueError, KeyError, TypeError):
        raise CheckpointError(f"{path} is not the state of a checkpoint") from None
    if version != FORMAT:
        raise CheckpointError(f"{folder} has format {version}, expected {FORMAT}: train again")
    return state


def keep_last(run: Path, number: int) -> None:
    """Remove all but the last checkpoints of a run, and what an interrupted write has left."""
    for folder in checkpoints(run)[:-number]:
        shutil.rmtree(folder)
    for folder in (run / FOLDER).glob(f"{_TEMPORARY}*"):
        shutil.rmtree(folder)


@contextmanager
def _all_or_none(final: Path, unfinished: Path, processes: Processes) -> Iterator[None]:
    """Let all processes fail where one cannot write: the others would wait for it."""
    cause = None
    try:
        yield
    except (OSError, CheckpointException) as error:
        cause = _cause(error)
    if processes.sums([cause is not None])[0]:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise CheckpointError(
            f"cannot write the checkpoint {final}: {cause or 'another process failed'}. The one "
            "before is whole: free some space, and run the same command again"
        )


@contextmanager
def _alone(processes: Processes) -> Iterator[bool]:
    """Yield whether this process is the only one, for which torch warns that it is."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="torch.distributed is disabled")
        yield processes.world == 1


def _cause(error: BaseException) -> str:
    """Return the reason that the system gives, also where torch has wrapped it."""
    if isinstance(error, CheckpointException):
        error = next(iter(error.failures.values()))[0]
    return getattr(error, "strerror", None) or str(error).splitlines()[0]


def _weights(model: nn.Module) -> dict[str, Tensor]:
    parameters = at_rest(model).named_parameters()
    return {name: p.detach() for name, p in parameters if p.requires_grad}


def _moments(model: nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Return the optimizer's tensors by parameter and kind; they are made where it has none yet."""
    tensors: dict[str, Tensor] = {}
    fused = bool(optimizer.defaults.get("fused"))
    for name, parameter in at_rest(model).named_parameters():
        if parameter.requires_grad:
            state = optimizer.state[parameter]
            for kind, tensor in _start(parameter, fused=fused).items():
                state.setdefault(kind, tensor)
            tensors |= {f"{name}/{kind}": tensor for kind, tensor in state.items()}
    return tensors


def _start(parameter: Tensor, *, fused: bool) -> dict[str, Tensor]:
    """Return the state of AdamW before its first step; fused, it counts on the device."""
    device = parameter.device if fused else torch.device("cpu")
    return {
        "step": torch.zeros((), dtype=torch.float32, device=device),
        "exp_avg": torch.zeros_like(parameter, memory_format=torch.preserve_format),
        "exp_avg_sq": torch.zeros_like(parameter, memory_format=torch.preserve_format),
    }


def _random_states(processes: Processes) -> dict[str, list[list[int]]]:
    """Return the random states of all processes, by kind of device: the state's bytes as numbers.

    Example of two processes on CUDA: {"cpu": [[0, 12, ...], [...]], "cuda": [[...], [...]]}
    """
    states = {"cpu": torch.get_rng_state()}
    if processes.device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(processes.device)
    return {kind: processes.gathered(state.tolist()) for kind, state in states.items()}


def _set_random_states(states: Mapping[str, list[list[int]]], processes: Processes) -> None:
    """Set the random states that a process of this rank had; a new rank begins its own."""
    for kind, of_ranks in states.items():
        if processes.rank >= len(of_ranks):
            continue
        state = torch.tensor(of_ranks[processes.rank], dtype=torch.uint8)
        if kind == "cpu":
            torch.set_rng_state(state)
        elif processes.device.type == "cuda":
            torch.cuda.set_rng_state(state, processes.device)


def _refuse_foreign(folder: Path) -> None:
    """Raise CheckpointError where the folder holds anything but safetensors and JSON."""
    for path in _files(folder):
        if path.suffix not in (".safetensors", ".json"):
            raise CheckpointError(
                f"{path}: a checkpoint holds safetensors and JSON only: remove it if you know "
                "where it comes from"
            )


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def _check_tensors(folder: Path, wanted: Mapping[str, Tensor]) -> None:
    """Raise CheckpointError where a part of a checkpoint has not the tensors that are wanted."""
    metadata = HuggingFaceStorageReader(str(folder)).read_metadata().state_dict_metadata
    stored = {name: tuple(entry.size) for name, entry in metadata.items()}
    shapes = {name: tuple(tensor.shape) for name, tensor in wanted.items()}
    for names, word in ((shapes.keys() - stored, "lacks"), (stored.keys() - shapes, "also has")):
        if names:
            raise CheckpointError(
                f"{folder} {word} {len(names)} tensors, the first {min(names)!r}: it is of another "
                "model or stage"
            )
    for name, shape in shapes.items():
        if stored[name] != shape:
            raise CheckpointError(
                f"{folder}: {name!r} has the shape {list(stored[name])}, expected {list(shape)}: "
                "it is of another model"
            )
