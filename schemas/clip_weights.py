"""The weights of a CLIP model, and the settings that belong to them but are not in their file.

The activation and the normalisation of pictures are those of the training. A model that is built
with other ones loads the same file without an error and gives other scores, so both are taken from
the configuration with which the weights were published.
"""

from collections.abc import Mapping, Sequence
from hashlib import file_digest
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from schemas.errors import UsageError

FOLDER_PREFIX, HUB_PREFIX = "local-dir:", "hf-hub:"  # as in open_clip
WEIGHTS_NAME = "open_clip_model.safetensors"
_SUFFIXES = (".safetensors", ".bin", ".pt", ".pth")
QUICK_GELU = "QuickGELU"  # as the class in open_clip is called
_SHOWN_TAGS = 4  # maximum number of tags of a kind in a message
_IMAGE_SETTINGS = ("mean", "std", "interpolation", "resize_mode")

Published = Mapping[str, Mapping[str, Any]]  # open_clip's configurations of a model, by tag


class Weights(NamedTuple):
    """The weights of a model, and the settings that belong to them."""

    load: str | None  # a tag or the path of a file; None: the model brings its weights
    shown: str  # in an identity: a tag, the digest of a file, or `TAG=` and the digest
    options: dict[str, Any]  # for open_clip's `create_model_and_transforms`

    @property
    def quick_gelu(self) -> bool:
        """Whether the weights are known to need QuickGELU."""
        return bool(self.options.get("force_quick_gelu"))


class ClipLibrary(Protocol):
    """What is asked of open_clip, which this package does not import."""

    def list_pretrained_tags_by_model(self, model: str) -> list[str]: ...
    def get_pretrained_cfg(self, model: str, tag: str) -> dict[str, Any]: ...
    def get_model_config(self, model_name: str) -> dict[str, Any] | None: ...


def weights_of(name: str, weights: str, library: ClipLibrary) -> Weights:
    """Return the weights of a model, with the settings of the configuration they belong to.

    Args:
        name: open_clip's name of a model; `hf-hub:OWNER/NAME`; or `local-dir:FOLDER`.
        weights: see `chosen_weights`; empty for the last two.
        library: the module `open_clip`.

    Raises:
        UsageError: the weights cannot be used, or their settings are unknown.
    """
    if name.startswith((FOLDER_PREFIX, HUB_PREFIX)):
        return brought_weights(name, weights)
    listed = name.replace("/", "-")  # as open_clip does
    tags = library.list_pretrained_tags_by_model(listed)
    published = {tag: library.get_pretrained_cfg(listed, tag) for tag in tags}
    config = library.get_model_config(listed) or {}
    return chosen_weights(name, weights, published, quick_gelu=bool(config.get("quick_gelu")))


def brought_weights(name: str, weights: str) -> Weights:
    """Return the weights that a folder or a repository of the Hub brings with its configuration.

    Args:
        name: `local-dir:FOLDER` or `hf-hub:OWNER/NAME`.
        weights: what the user named; empty, or it is an error.
    """
    if weights:
        raise UsageError(f"CLIP model {name!r} brings its weights; give none")
    if name.startswith(HUB_PREFIX):
        return Weights(None, "", {})
    path = Path(name.removeprefix(FOLDER_PREFIX)) / WEIGHTS_NAME
    if not path.is_file():
        raise UsageError(f"{path}: no such file; expected open_clip's weights as safetensors")
    return Weights(None, _digest(path), {})


def chosen_weights(name: str, weights: str, published: Published, *, quick_gelu: bool) -> Weights:
    """Return the weights that a user chose for a model of open_clip.

    Args:
        name: open_clip's name of the model.
        weights: a tag (`openai`), a file (`/w/mine.pt`), or both (`openai=/w/mine.pt`): a file of
            the weights with that tag, or of weights that were trained on from them.
        published: the configurations of the model's published weights.
        quick_gelu: whether the name alone stands for a model with QuickGELU.

    Raises:
        UsageError: the weights cannot be used, or their settings are unknown.
    """
    if not weights:
        raise UsageError(
            f"CLIP model {name!r} needs weights: --clip-weights TAG|FILE, a tag of open_clip's or "
            "a file"
        )
    if Path(weights).is_file():
        digest = _digest(_checked(Path(weights)))
        return Weights(weights, digest, _options_of_file(name, weights, published, quick_gelu))
    tag, _, path = weights.partition("=")
    config = published.get(_plain(tag))
    if path and not Path(path).is_file():
        raise UsageError(f"{path}: no such file; expected weights")
    if config is None:
        if path:
            raise UsageError(
                f"CLIP model {name!r} has no published weights {tag!r}: expected one of "
                f"{', '.join(published) or 'none'}"
            )
        return Weights(weights, weights, {})  # open_clip says which tags it knows
    if quick_gelu and not config.get("quick_gelu"):
        raise UsageError(
            f"CLIP model {name!r} is built with {QUICK_GELU}, and its weights {tag!r} were trained "
            "with GELU: name the model or the weights that belong together"
        )
    if not path:
        return Weights(tag, tag, _options(config))
    return Weights(path, f"{tag}={_digest(_checked(Path(path)))}", _options(config))


def _options_of_file(
    name: str, path: str, published: Published, quick_gelu: bool
) -> dict[str, Any]:
    """Return the options that all published weights of a model share, for a file without a tag."""
    options = [_options(config) for config in published.values()]
    if all(each == options[0] for each in options[1:]):
        return options[0] if options else {"force_quick_gelu": quick_gelu}
    with_quick = [tag for tag, config in published.items() if config.get("quick_gelu")]
    others = [tag for tag in published if tag not in with_quick]
    raise UsageError(
        f"{path}: the weights of {name} differ in activation or normalisation, and a file does not "
        f"say which it needs. Give TAG={path} with the tag it is of, or was trained on from: with "
        f"{QUICK_GELU} {_some(with_quick)}; with GELU {_some(others)}"
    )


def _some(tags: Sequence[str]) -> str:
    more = f" and {len(tags) - _SHOWN_TAGS} more" if len(tags) > _SHOWN_TAGS else ""
    return ", ".join(tags[:_SHOWN_TAGS]) + more or "none"


def _options(config: Mapping[str, Any]) -> dict[str, Any]:
    images = {f"image_{key}": config[key] for key in _IMAGE_SETTINGS if key in config}
    return {"force_quick_gelu": bool(config.get("quick_gelu"))} | images


def _plain(tag: str) -> str:
    """Return a tag as open_clip's tables have it."""
    return tag.lower().replace("-", "_")


def digest_of(path: str) -> str:
    """Return the digest of a file of weights, as identities show it.

    Raises:
        UsageError: there is no such file, or its name does not end as those of weights do.
    """
    if not Path(path).is_file():
        raise UsageError(f"{path}: no such file; expected weights")
    return _digest(_checked(Path(path)))


def _checked(path: Path) -> Path:
    if path.suffix not in _SUFFIXES:
        raise UsageError(f"{path}: expected weights that end in one of {', '.join(_SUFFIXES)}")
    return path


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return f"sha256:{file_digest(file, 'sha256').hexdigest()}"
