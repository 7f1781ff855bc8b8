"""The command `train-bench`: results, one after another, in a file and on the console."""

import argparse
import json
from pathlib import Path
from time import perf_counter
from typing import Any

import torch

from schemas import console
from schemas.errors import RegionForgeError
from train.bench.measure import Result, measure
from train.bench.plan import PAPERS, Setting, Subject, Way, in_order
from train.flag_checks import check_image_root
from train.plan import device_named, open_builds, open_rows
from train.run import versions


def run_command(args: argparse.Namespace) -> int:
    """Measure what the command line names, and return the exit status.

    Raises:
        RegionForgeError: a name is wrong, a build cannot be read, or a measurement came to nothing.
    """
    output = Path(args.output)
    setting = _setting(args)
    names = args.recipe or PAPERS
    entries = list(in_order([Subject.of(name, args.model, setting) for name in names]))
    deadline = None if args.minutes is None else perf_counter() + 60 * args.minutes
    ours: dict[str, Result] = {}
    failed = 0
    output.parent.mkdir(parents=True, exist_ok=True)
    with output.open("w", encoding="utf-8", buffering=1) as file:
        for number, (subject, way) in enumerate(entries):
            end = _share_of(deadline, len(entries) - number)
            result = _result(subject, way, end, over=_is_over(deadline))
            failed += "error" in result
            _compare(result, ours)
            file.write(json.dumps({**result, **_about(setting)}) + "\n")
            console.result(_line(result))
    if failed:
        raise RegionForgeError(f"{output}: {failed} of {len(entries)} came to nothing, see there")
    return 0


def _setting(args: argparse.Namespace) -> Setting:
    device = device_named(args.device)
    rows = None
    if args.shards is not None:
        builds = open_builds(args.shards)
        check_image_root(args.image_root, builds)
        rows = open_rows(builds, "train", None, 0)
    return Setting(
        device=device,
        workers=args.workers,
        recompute=args.recompute,
        compiled=args.compile,
        micro_batch=args.micro_batch,
        image_root=None if args.image_root is None else Path(args.image_root),
        rows=rows,
    )


def _result(subject: Subject, way: Way, deadline: float | None, *, over: bool) -> Result:
    if over:
        return {
            "model": subject.preset,
            "recipe": subject.recipe.name,
            "way": way,
            "left_out": "no time was left",
        }
    console.notice(f"measuring {subject.preset}, {subject.recipe.name}, {way}")
    return measure(subject, way, deadline)


def _share_of(deadline: float | None, left: int) -> float | None:
    """Return the end of the next of so many measurements, which share the time that is left."""
    if deadline is None:
        return None
    now = perf_counter()
    return now + max(0.0, deadline - now) / left


def _is_over(deadline: float | None) -> bool:
    return deadline is not None and perf_counter() > deadline


def _compare(result: Result, ours: dict[str, Result]) -> None:
    """Add to a plain result how much faster ours was."""
    if "rows_a_second" not in result:
        return
    key = f"{result['model']} {result['recipe']}"
    if result["way"] == "ours":
        ours[key] = result
    elif key in ours:
        ratio = ours[key]["rows_a_second"] / result["rows_a_second"]
        result["ours_is_faster_by"] = round(ratio, 3)


def _about(setting: Setting) -> dict[str, Any]:
    """Return what the figures hold for."""
    device = setting.device
    cuda = device.type == "cuda"
    return {
        "rows_from": "the mix" if setting.rows is None else "shards",
        "workers": setting.workers,
        "recompute": setting.recompute or "as train has it",
        "compiled": "as train has it" if setting.compiled is None else setting.compiled,
        "device": torch.cuda.get_device_name(device) if cuda else "cpu",
        "versions": versions(),
    }


def _line(result: Result) -> str:
    """Return a result in words."""
    name = f"{result['model']} {result['recipe']}, {result['way']}:"
    if "rows_a_second" not in result:
        return f"{name} {result.get('error') or result['left_out']}"
    parts = [
        f"{result['rows_a_second']:.2f} rows/s",
        f"{result['tokens_a_second']:,.0f} tokens/s",
        f"{result['model_teraflops_a_second']:.3g} model TFLOP/s",
    ]
    if "mfu" in result:
        parts += [
            f"MFU {result['mfu']:.1%}",
            f"{result['times_the_floor']:.2f} of the floor's time",
        ]
    parts += [
        f"{result['peak_memory_gib']:.1f} GiB",
        f"padding {result['padding']:.1%}",
        f"waiting {result['waiting_for_rows']:.1%}",
    ]
    if "ours_is_faster_by" in result:
        parts.append(f"ours is {result['ours_is_faster_by']:.2f} times as fast")
    return f"{name} {', '.join(parts)}"
