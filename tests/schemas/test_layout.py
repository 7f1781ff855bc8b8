"""Names on disk stand in one file, and no other one spells them."""

import io
import re
import tokenize
from pathlib import Path

import pytest

from schemas import layout

CHECKOUT = Path(__file__).parents[2]
SPELLED = re.compile(
    r"(?<![\w.])_rejected|manifest\.json|ledger\.json|(?<![\w.])_state\b|-of-[{\\\d*]|\.arrow|README\.md"
)
NOT_ON_DISK = ('"_state"',)  # an attribute's name


def words(path: Path) -> list[str]:
    """The strings of a module that code uses: docstrings are for people."""
    tokens = list(tokenize.generate_tokens(io.StringIO(path.read_text(encoding="utf-8")).readline))
    kinds = (tokenize.STRING, getattr(tokenize, "FSTRING_MIDDLE", tokenize.STRING))
    spelled = [token.string for token in tokens if token.type in kinds]
    return [text for text in spelled if '"""' not in text and text not in NOT_ON_DISK]


@pytest.mark.parametrize("package", ["schemas", "transforms", "pipelines", "train", "model"])
def test_no_other_module_spells_a_name_of_an_output(package):
    spelled = [
        (str(path.relative_to(CHECKOUT)), word)
        for path in (CHECKOUT / package).rglob("*.py")
        if path != Path(layout.__file__)
        for word in words(path)
        if SPELLED.search(word)
    ]
    assert spelled == []


def test_names_as_a_build_has_always_written_them():
    assert layout.shard_path("coco", "train", 0, 2) == "coco/train-00000-of-00002.arrow"
    assert layout.shard_pattern("coco", "train", 2) == "coco/train-*-of-00002.arrow"
    assert layout.rejected_path("coco") == "_rejected/coco.jsonl"
    shard = layout.shard_path("coco", "val", 1, 2)
    assert layout.state_path(shard) == "_state/coco/val-00001-of-00002.arrow.json"
    assert (layout.CARD, layout.MANIFEST, layout.LEDGER, layout.IDENTITY) == (
        "README.md",
        "manifest.json",
        "ledger.json",
        "_state/build.json",
    )


def test_a_shard_is_told_by_its_name():
    assert layout.config_of("coco/train-00000-of-00002.arrow") == "coco"
    assert layout.config_of("a/b/train-00000-of-00002.arrow") is None
    assert layout.config_of("coco/train-0-of-2.arrow") is None
    assert layout.config_of("coco/train-00000-of-00002.arrow.json") is None
