"""The data core runs without PyTorch and what stands on it: all of its modules are imported so."""

import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
CORE = ("schemas", "prompts", "transforms", "pipelines", "regionforge")
PYTORCH = [
    "accelerate",
    "open_clip",
    "peft",
    "safetensors",
    "tensorboard",
    "tokenizers",
    "torch",
    "torchvision",
    "transformers",
]
# They are imported only after a command has seen that the extra `clip`, or `train`, is there.
AFTER_A_CHECK = {
    *("pipelines.recap.clip.alpha", "pipelines.recap.clip.open_clip", "regionforge.demo_steps"),
    *(f"regionforge.vllm_engine.{name}" for name in ("engine", "language", "starting")),
}
PROGRAM = f"""
import importlib, sys
from schemas.errors import UsageError
for name in {PYTORCH}:
    sys.modules[name] = None
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except (ImportError, UsageError) as error:
        print(name, repr(error))
"""


def modules() -> list[str]:
    """Every module of the data core, such as `pipelines.cli.build`."""
    files = [path for name in CORE for path in (CHECKOUT / name).rglob("*.py")]
    dotted = [".".join(path.relative_to(CHECKOUT).with_suffix("").parts) for path in files]
    return sorted(name.removesuffix(".__init__") for name in dotted)


def test_every_module_is_imported_without_pytorch():
    command = [sys.executable, "-c", PROGRAM, *modules()]
    shown = subprocess.check_output(command, cwd=CHECKOUT, text=True)
    assert {line.split()[0] for line in shown.splitlines()} == AFTER_A_CHECK, shown
