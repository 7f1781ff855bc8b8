"""A model for evaluation, and the way in which it is asked."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
import xxhash

from model.processor import RegionProcessor, processor_for
from model.region_model import RegionModel
from model.regions import RegionAs
from train.start import Start, open_trained, read_config, read_tokenizer

Form = Literal["generate", "likelihood"]

_SETTINGS = ("config.json", "generation_config.json", "tokenizer.json", "chat_template.jinja")
_WEIGHTS = (".safetensors", ".bin")
_CHUNK = 2**20


@dataclass(frozen=True, kw_only=True)
class Asking:
    """A model, and the settings by which it replies."""

    start: Start  # a checkpoint
    device: torch.device
    dtype: torch.dtype
    form: Form
    region_as: RegionAs
    batch: int  # questions at once; 1 for a likelihood
    max_new_tokens: int
    choices: bool  # take the likelihood of the choices too
    workers: int

    def processor(self) -> RegionProcessor:
        """Return the model's processor; no row is too long but for the language model."""
        return processor_for(read_config(self.start), read_tokenizer(self.start))

    def open_model(self) -> RegionModel:
        """Return the model, ready to reply.

        Raises:
            RegionForgeError: its weights cannot be read.
        """
        model = open_trained(self.start, self.dtype).to(self.device)
        model.set_attn_implementation({"text_config": "sdpa"})  # rows are padded
        return model

    def as_json(self) -> dict[str, Any]:
        """Return all that decides the replies."""
        settings: dict[str, Any] = {
            "model": model_digest(self.folder),
            "regions": self.region_as,
            "form": self.form,
            "dtype": str(self.dtype).removeprefix("torch."),
            "earlier_turns": "the model's answers where asked about, else as in the build",
        }
        if self.form == "generate":
            settings |= {"max_new_tokens": self.max_new_tokens, "batch": self.batch}
            settings |= {"do_sample": False, "choices": self.choices}
        return settings

    @property
    def folder(self) -> Path:
        """The folder of the weights."""
        if self.start.earlier is not None:
            return Path(str(self.start.checkpoint))
        return self.start.folder


def model_digest(folder: Path) -> str:
    """Return the digest of all that decides a model's replies, wherever its folder lies."""
    files = [folder / name for name in _SETTINGS if (folder / name).is_file()]
    files += [path for path in folder.rglob("*") if path.suffix in _WEIGHTS]
    by_name = {path.relative_to(folder).as_posix(): path for path in files}
    digest = xxhash.xxh3_128()
    for name, path in sorted(by_name.items()):
        digest.update(name.encode())
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
    return f"xxh3_128:{digest.hexdigest()}"
