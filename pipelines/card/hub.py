"""The part of the card's header by which the Hugging Face Hub lists a data set.

    license: other              an identifier of the Hub's list; `other` where there are several,
    license_name: owners-terms  or where the shards hold images, which have their own
    language: [en]
    task_categories: [image-text-to-text, visual-question-answering, image-to-text]
    size_categories: [1K<n<10K]

Format: https://huggingface.co/docs/hub/datasets-cards
"""

from collections.abc import Iterable
from typing import Any

from schemas.shard import features

_IDENTIFIERS = {
    "CC BY 4.0": "cc-by-4.0",
    "CC BY-NC-SA 4.0": "cc-by-nc-sa-4.0",
    "MIT": "mit",
}
_OTHER = {"license": "other", "license_name": "owners-terms"}
_TASKS = ["image-text-to-text", "visual-question-answering", "image-to-text"]
_SIZES = [(10**exponent, name) for exponent, name in zip(range(3, 13), (
    "n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "1M<n<10M", "10M<n<100M", "100M<n<1B",
    "1B<n<10B", "10B<n<100B", "100B<n<1T",
), strict=True)]  # fmt: skip


def hub_metadata(licences: Iterable[str], rows: int, *, embedded: bool) -> dict[str, Any]:
    """Return the keys of the header that describe the whole data set, without its configs.

    Args:
        licences: the licences of the annotations.
        rows: the number of records.
        embedded: whether the shards hold the images.
    """
    return {
        **_licence(set(licences), embedded=embedded),
        "language": ["en"],
        "task_categories": _TASKS,
        "size_categories": [next((name for most, name in _SIZES if rows < most), "n>1T")],
    }


def hub_features() -> list[dict[str, Any]]:
    """Return the features of a record in the form of the header's `dataset_info`."""
    return [{"name": name, **_plain(feature)} for name, feature in features().items()]


def _licence(licences: set[str], *, embedded: bool) -> dict[str, str]:
    stated = [_IDENTIFIERS.get(licence) for licence in licences]
    if embedded or len(stated) != 1 or stated[0] is None:
        return _OTHER
    return {"license": stated[0]}


def _plain(feature: dict[str, Any]) -> dict[str, Any]:
    """Return a feature of the JSON form as the header writes it."""
    kind = feature.get("_type")
    if kind == "Image":
        return {"dtype": "image"}
    if kind == "Value":
        return {"dtype": feature["dtype"]}
    if kind == "List":
        inner = _plain(feature["feature"])
        length = {"length": feature["length"]} if "length" in feature else {}
        return {"list": inner.get("dtype") or inner.get("struct") or inner, **length}
    return {"struct": [{"name": name, **_plain(each)} for name, each in feature.items()]}
