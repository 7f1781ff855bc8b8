"""The connector's start, from an earlier training stage: `init` of `load_towers`.

A file of LLaVA's first stage, `mm_projector.bin`, which holds the projector:

    GPT4RoI      model.mm_projector.weight, .bias              one linear layer
    RegionGPT    model.mm_projector.0.weight, ... .2.bias      two linear layers

Where LLaVA trained words before and after the image, their embeddings are the last two rows of the
file's `model.embed_tokens.weight`; they become GPT4RoI's image start and end. In checkpoints that
were converted to transformers' Llava, the two layers are `multi_modal_projector.linear_1` and
`linear_2`.

A folder of ours, `connector/` of `export_parts`, which holds the whole connector.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from model.checkpoint.build import CONNECTOR
from model.checkpoint.files import Weights, open_files
from model.checkpoint.own_config import read_own_config
from model.config import GPT4RoIConfig, RegionConfig
from model.misfit import listed, refuse_misfit
from schemas.errors import InputFileError

CONNECTOR_FILE = "connector.safetensors"
_PROJECTOR_FILE = "mm_projector.bin"
_CONVERTED = {"linear_1.": "0.", "linear_2.": "2."}
_PROJECTOR = re.compile(r"(?:^|.*\.)(?:mm_projector|multi_modal_projector)\.(.+)")
_EMBEDDING = re.compile(r"(?:^|.*\.)embed_tokens\.weight")


@dataclass(frozen=True)
class FirstStage:
    """What an earlier stage leaves of the connector.

    weights: under the names of our models.
    whole: whether they are all of the connector's.
    boundaries: whether image start and end are among them.
    """

    weights: Weights
    whole: bool

    @property
    def boundaries(self) -> bool:
        """Whether image start and end are among the weights."""
        return CONNECTOR + "image_start" in self.weights.tensors


def read_first_stage(path: str | Path, config: RegionConfig) -> FirstStage:
    """Open a connector's start that suits the model of the configuration."""
    path = Path(path)
    if (path / CONNECTOR_FILE).is_file():
        return _whole_connector(path, config)
    file = path / _PROJECTOR_FILE if path.is_dir() else path
    if not file.is_file():
        raise InputFileError(
            f"{file}: no such file; expected a first stage's {_PROJECTOR_FILE}, or a folder with "
            f"{CONNECTOR_FILE}"
        )
    weights = open_files(file, [file])
    others = [key for key in weights.tensors if not _PROJECTOR.match(key)]
    embeddings = [key for key in others if _EMBEDDING.match(key)]
    if not isinstance(config, GPT4RoIConfig):
        embeddings = []
    refuse_misfit(file, {"unexpected_keys": sorted(set(others) - set(embeddings))})
    started = projector(weights, config)
    for key in embeddings:
        started = started.joined(boundaries(weights, key, (-2, -1)))
    return FirstStage(started, whole=False)


def projector(weights: Weights, config: RegionConfig) -> Weights:
    """Return the projector of LLaVA's or transformers' Llava, under our names."""
    names = {}
    for key in weights.tensors:
        if match := _PROJECTOR.match(key):
            inner = match[1]
            for theirs, ours in _CONVERTED.items():
                inner = inner.replace(theirs, ours)
            names[key] = f"{CONNECTOR}projector.{inner}"
    layers = ("",) if isinstance(config, GPT4RoIConfig) else ("0.", "2.")
    expected = {f"{CONNECTOR}projector.{layer}{end}" for layer in layers for end in _ENDS}
    if set(names.values()) != expected:
        raise InputFileError(
            f"{weights.origin}: no projector of {len(layers)} linear "
            f"layer{'s' if len(layers) > 1 else ''}, which {config.model_type} has; its keys are "
            f"{listed(names or weights.tensors)}"
        )
    return weights.renamed(names)


_ENDS = ("weight", "bias")


def boundaries(weights: Weights, key: str, rows: tuple[int, int]) -> Weights:
    """Return two rows of an embedding as GPT4RoI's image start and end.

    Args:
        weights: theirs.
        key: the embedding's, [words, width].
        rows: of start and end.
    """
    embedding = weights.tensors[key]
    if embedding.ndim != 2 or not -len(embedding) <= min(rows) <= max(rows) < len(embedding):
        raise InputFileError(
            f"{weights.files[key]}: {key} is {list(embedding.shape)}, and has no rows {rows}"
        )
    names = [CONNECTOR + "image_start", CONNECTOR + "image_end"]
    return Weights(
        weights.origin,
        {name: embedding[row] for name, row in zip(names, rows, strict=True)},
        dict.fromkeys(names, weights.files[key]),
    )


def _whole_connector(folder: Path, config: RegionConfig) -> FirstStage:
    other = read_own_config(folder)
    if other.model_type != config.model_type:
        raise InputFileError(
            f"{folder}: the connector of {other.model_type}, expected {config.model_type}'s"
        )
    weights = open_files(folder, [folder / CONNECTOR_FILE])
    names = {key: CONNECTOR + key for key in weights.tensors}
    return FirstStage(weights.renamed(names), whole=True)
