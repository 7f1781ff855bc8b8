"""Small evaluation builds and tiny models, which answer nonsense, but the same each time."""

from collections.abc import Callable, Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import regionforge
from model.presets import tiny_regiongpt
from model.tiny import write_tiny_model
from tests.small_models import small_gpt4roi
from train.data.build import Build
from train.data.rows import ShardRows


@pytest.fixture(scope="session")
def tiny_models(made_once) -> dict[str, Path]:
    """The folders of both models, with random weights."""
    configs = {"gpt4roi": small_gpt4roi(), "regiongpt": tiny_regiongpt()}

    def make(root: Path) -> None:
        for kind, config in configs.items():
            write_tiny_model(root / kind, config)

    root = made_once("tiny_models", make)
    return {kind: root / kind for kind in configs}


@pytest.fixture(scope="session")
def build_of(sample_world, tmp_path_factory) -> Callable[..., Path]:
    """Builds an evaluation of a few drawn pictures, each once."""
    built: dict[str, Path] = {}

    def build(name: str, images: str = "embed") -> Path:
        key = f"{name}-{images}"
        if key not in built:
            folder: Path = tmp_path_factory.mktemp(key)
            recipe = regionforge.load_recipe(name, limit=3, images=images)
            regionforge.launch(regionforge.make_plan(recipe, sample_world, folder))
            built[key] = folder
        return built[key]

    return build


@pytest.fixture(scope="session")
def rows_of() -> Callable[[Path], ShardRows]:
    """Opens the rows of all splits of a build."""

    def rows(folder: Path) -> ShardRows:
        build = Build.open(folder)
        splits = sorted({shard.split for shard in build.manifest.filled()})
        return ShardRows(build, [shard for split in splits for shard in build.shards(split)])

    return rows


@pytest.fixture(scope="session")
def make_row() -> Callable[..., dict[str, Any]]:
    """Makes a record that asks about one region after another, each in a turn of its own."""

    def make(names: list[str], **changes: Any) -> dict[str, Any]:
        messages, evaluation, regions = [], list[Any](), list[Any]()
        for turn, name in enumerate(names):
            start = "<image>\n" if turn == 0 else ""
            text = f"{start}What is in <region{turn + 1}>?"
            messages += [{"role": "user", "content": text}, {"role": "assistant", "content": name}]
            entry: dict[str, Any] = {
                "turn": turn,
                "position": 0,
                "item_id": str(turn),
                "group": "7",
            }
            evaluation.append({**entry, "references": [name], "choices": [], "label": None})
            box = [1.0 + turn, 2.0, 20.0 + turn, 30.0]
            regions.append(
                {"region_id": str(turn), "bbox": box, "mask": None, "area": 9.0, "category": name}
            )
        picture = BytesIO()
        Image.new("RGB", (64, 48), (200, 30, 30)).save(picture, "PNG")
        row: dict[str, Any] = {"id": "coco/val/7/region_classification/0"}
        row |= {"source": "coco", "split": "val"}
        row |= {"image": {"bytes": picture.getvalue(), "path": "7.png"}, "messages": messages}
        return row | {"evaluation": evaluation, "regions": regions} | changes

    return make


class Listed(list[dict[str, Any]]):
    """Rows in memory, in place of those of shards."""

    def columns(self, names: Sequence[str]) -> Iterator[dict[str, Any]]:
        """The rows; what is not asked for is there too."""
        return iter(self)


@pytest.fixture(scope="session")
def listed() -> type[Listed]:
    """Makes rows of records."""
    return Listed
