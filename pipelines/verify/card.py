"""The check of the dataset card: its header, which `load_dataset` reads, must fit the manifest."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

import yaml

from pipelines.recipes.recipe import BY_FLAGS
from pipelines.storage import files
from pipelines.storage.yaml_file import parse_yaml
from schemas.layout import CARD
from schemas.manifest import Manifest, Shard

SplitOf = tuple[str, str]  # config, split
Layout = Mapping[SplitOf, list[Shard]]

_FENCE = "---\n"


def card_problems(output: str, manifest: Manifest) -> Iterator[str]:
    """Yield the differences between the card's header and the manifest."""
    try:
        with files.open_read(files.join(output, CARD)) as file:
            header = _header(file.read().decode())
        patterns, sizes, defaults = _patterns(header), _sizes(header), _defaults(header)
    except (OSError, ValueError, yaml.YAMLError) as error:
        yield f"{CARD}: cannot be read: {' '.join(str(error).split())}"
        return
    except (KeyError, TypeError, AttributeError) as error:
        yield f"{CARD}: configs or dataset_info are not as `datasets` expects them: {error!r}"
        return
    layout = _layout(manifest)
    for line in (*_size_problems(sizes, layout), *_file_problems(patterns, layout, manifest)):
        yield f"{CARD}: {line}"
    expected = _default(manifest)
    if defaults != [expected]:
        yield f"{CARD}: default configs are {defaults}, expected {[expected]}"


def _header(text: str) -> Any:
    before, header, _ = text.split(_FENCE, 2)
    if before:
        raise ValueError("it does not begin with a YAML header")
    return parse_yaml(header)


def _patterns(header: Any) -> dict[SplitOf, list[str]]:
    return {
        (config["config_name"], entry["split"]): list(entry["path"])
        for config in header["configs"]
        for entry in config["data_files"]
    }


def _sizes(header: Any) -> dict[SplitOf, tuple[int, int]]:
    return {
        (info["config_name"], split["name"]): (split["num_examples"], split["num_bytes"])
        for info in header["dataset_info"]
        for split in info["splits"]
    }


def _defaults(header: Any) -> list[str]:
    return [config["config_name"] for config in header["configs"] if config.get("default")]


def _layout(manifest: Manifest) -> Layout:
    """Return the shards of every split with rows, by config: each source's, and all sources'."""
    layout: dict[SplitOf, list[Shard]] = defaultdict(list)
    united = _default(manifest)
    for shard in manifest.filled():
        for config in {shard.config, united}:
            layout[config, shard.split].append(shard)
    return layout


def _default(manifest: Manifest) -> str:
    """Return the name of the config of all sources: the recipe's, or else the only source's."""
    configs = {shard.config for shard in manifest.filled()}
    recipe = str(manifest.identity.recipe.get("name"))
    return configs.pop() if len(configs) == 1 and recipe == BY_FLAGS else recipe


def _size_problems(stated: Mapping[SplitOf, tuple[int, int]], layout: Layout) -> Iterator[str]:
    for config, split in sorted(stated.keys() | layout.keys()):
        shards = layout.get((config, split), [])
        expected = sum(shard.rows for shard in shards), sum(shard.bytes for shard in shards)
        if (sizes := stated.get((config, split), (0, 0))) != expected:
            yield (
                f"{config}/{split} has {sizes[0]} examples in {sizes[1]} bytes, "
                f"expected {expected[0]} in {expected[1]} as in the manifest"
            )


def _file_problems(
    stated: Mapping[SplitOf, list[str]], layout: Layout, manifest: Manifest
) -> Iterator[str]:
    paths = [shard.path for shard in manifest.shards]
    for config, split in sorted(stated.keys() | layout.keys()):
        expected = {shard.path for shard in layout.get((config, split), [])}
        patterns = stated.get((config, split), [])
        matched = {path for path in paths if any(_matches(path, like) for like in patterns)}
        if matched != expected:
            yield (
                f"{config}/{split} takes its data from {patterns}, which leaves out "
                f"{sorted(expected - matched)} and adds {sorted(matched - expected)}"
            )


def _matches(path: str, pattern: str) -> bool:
    names, wanted = path.split("/"), pattern.split("/")
    return len(names) == len(wanted) and all(map(fnmatchcase, names, wanted))
