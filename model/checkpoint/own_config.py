"""The configuration of a folder that this program wrote."""

from pathlib import Path

from model.checkpoint.files import read_json
from model.config import FORMAT, GPT4RoIConfig, RegionConfig, RegionGPTConfig
from schemas.errors import InputFileError, OtherSchemaError

_KINDS = {kind.model_type: kind for kind in (GPT4RoIConfig, RegionGPTConfig)}


def read_own_config(folder: Path) -> RegionConfig:
    """Read config.json of a folder of ours, of this version's format."""
    path = folder / "config.json"
    content = read_json(path)
    check_format(path, content.get("format"))
    kind = _KINDS.get(str(content.get("model_type")))
    if kind is None:
        raise InputFileError(
            f"{path}: model_type is {content.get('model_type')!r}, expected one of "
            f"{', '.join(_KINDS)}"
        )
    try:
        return kind.from_dict(content)
    except (ValueError, KeyError, TypeError) as error:
        raise InputFileError(f"{path}: no configuration of {kind.model_type}: {error}") from error


def check_format(path: Path, version: object) -> None:
    """Raise OtherSchemaError where a file of ours is not of this version's format."""
    if version != FORMAT:
        raise OtherSchemaError(
            f"{path}: format {version}, and this version of RegionForge reads {FORMAT}: use the "
            "version that wrote it, or train again"
        )
