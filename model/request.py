"""The arguments of a call to the processor, sorted into rows: a picture, a text, regions.

A call is about one row, or about several in lists of the same length. Messages come as a shard has
them, or in transformers' list of parts:

    {"role": "user", "content": "<image>\\nWhat is in <region1>?"}
    {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "What is in ...?"}]}
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any, Generic, Literal, TypedDict, TypeVar

from PIL import Image

from model.errors import InputError
from model.picture import Picture, read_picture
from model.regions import RegionAs
from schemas.sample import IMAGE_TOKEN

Message = dict[str, str]
Content = TypeVar("Content")
Other = TypeVar("Other")

_PICTURE_KEYS = ("image", "path", "url")  # of an image part; an address is refused when it is read


class CallOptions(TypedDict, total=False):
    """The options that all calls share.

    region_as: the form to take of a record's region that has a box and a mask; by default the mask
        where the model takes masks.
    padding: True pads to the longest row; False is for rows of one length.
    padding_side: `left`, for generation, or `right`.
    return_tensors: `pt`, the only form of a batch.
    """

    region_as: RegionAs
    padding: bool
    padding_side: Literal["left", "right"]
    return_tensors: str


class ChatOptions(CallOptions, total=False):
    """The options of messages, with those that transformers' pipelines give.

    continue_final_message: False; answers that are begun already are not continued.
    processor_kwargs: more options of `CallOptions`.
    """

    continue_final_message: bool
    processor_kwargs: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Row(Generic[Content]):
    """One row of a call."""

    name: str  # for errors
    content: Content  # a text, or messages
    picture: Picture | None
    regions: Mapping[int, Any]  # by number, from 1

    def with_content(self, content: Other) -> "Row[Other]":
        """Return the row with another content, e.g. with its text as ids."""
        return Row(self.name, content, self.picture, self.regions)


def text_rows(text: Any, images: Any, regions: Any) -> list[Row[str]]:
    """Return the rows of a text, or of a list of texts."""
    single = isinstance(text, str)
    texts = [text] if single else text
    if not isinstance(texts, list | tuple) or not all(isinstance(row, str) for row in texts):
        raise InputError(f"expected a text or a list of texts, found {type(text).__name__}")
    return _rows(texts, images, regions, single=single)


def chat_rows(conversation: Any, images: Any, regions: Any) -> list[Row[list[Message]]]:
    """Return the rows of messages, or of a list of conversations."""
    single = is_single(conversation)
    conversations = [conversation] if single else conversation
    plain = [_plain(messages, f"row {row}") for row, messages in enumerate(conversations)]
    carried = [pictures for _, pictures in plain]
    if any(carried):
        if images is not None:
            raise InputError("pictures both in the messages and as `images`, expected one of them")
        images = carried[0] if single else carried
    return _rows([messages for messages, _ in plain], images, regions, single=single)


def is_single(conversation: Any) -> bool:
    """Return whether messages are one conversation, not a list of several."""
    if not isinstance(conversation, list | tuple) or not conversation:
        raise InputError(f"expected messages, found {conversation!r:.60}")
    return isinstance(conversation[0], Mapping)


def call_options(options: ChatOptions) -> CallOptions:
    """Return the options of a call about messages, after checking them."""
    plain: dict[str, Any] = dict(options)
    if plain.pop("continue_final_message", False):
        raise ValueError(
            "continue_final_message is True, expected False: the assistant's answers are begun anew"
        )
    plain |= plain.pop("processor_kwargs", None) or {}
    chosen = CallOptions(**plain)  # type: ignore[typeddict-item]  # checked in the next line
    check_options(chosen)
    return chosen


def check_options(options: CallOptions) -> None:
    """Raise `TypeError` for an option that there is not, and `ValueError` for a wrong value."""
    expected = {
        "region_as": (None, "box", "mask"),
        "padding": (True, False),
        "padding_side": ("left", "right"),
        "return_tensors": ("pt",),
    }
    for name, value in options.items():
        if name not in expected:
            raise TypeError(f"unexpected argument {name!r}, expected {', '.join(expected)}")
        if value not in expected[name]:
            choices = " or ".join(map(repr, expected[name]))
            raise ValueError(f"{name} is {value!r}, expected {choices}")


def check_picture(row: Row[Any], images: int) -> None:
    """Raise `InputError` where a row's picture, text and regions do not fit each other.

    Args:
        row: the row.
        images: the number of times that its text has `<image>`.
    """
    has_picture = row.picture is not None
    if images > 1:
        raise InputError(f"{row.name}: {images} times {IMAGE_TOKEN}, expected one picture at most")
    if images and not has_picture:
        raise InputError(f"{row.name}: {IMAGE_TOKEN} without a picture")
    if has_picture and not images:
        raise InputError(
            f"{row.name}: a picture, and no {IMAGE_TOKEN} in the text that stands for it"
        )
    if len(row.regions) and not has_picture:
        raise InputError(f"{row.name}: {len(row.regions)} regions without a picture")


def training_row(row: Mapping[str, Any]) -> tuple[str, list[Message], Mapping[int, Any]]:
    """Return the name, messages and regions of a record, or of a row made by hand."""
    name = row.get("id", "the row")
    if "messages" not in row:
        raise InputError(f"{name}: expected the key messages, found {sorted(map(str, row))}")
    messages, carried = _plain(row["messages"], name)
    if carried:
        raise InputError(f"{name}: a picture in the messages, expected it under the key image")
    return name, messages, _numbered(row.get("regions"), name)


def stored_picture(row: Mapping[str, Any]) -> Image.Image | None:
    """Return a record's picture in the frame of its regions, whose size the record states."""
    stored = row.get("image")
    if isinstance(stored, Mapping):
        if stored["bytes"] is None:
            raise InputError(
                f"the bytes of image {stored['path']!r} are not in the shard, which was built with "
                "`--images reference`: read them first"
            )
        stored = stored["bytes"]
    if stored is None:
        return None
    width, height = row.get("width"), row.get("height")
    stated = None if width is None or height is None else (width, height)
    picture = read_picture(stored, stated)
    if stated is not None and picture.size != stated:
        size = f"{picture.width} x {picture.height}"
        raise InputError(f"a picture of {size} pixels, expected {width} x {height}")
    return picture


def _rows(
    contents: Sequence[Content], images: Any, regions: Any, *, single: bool
) -> list[Row[Content]]:
    if single:
        images, regions = [images], [regions]
    pictures = _as_many(images, len(contents), "images")
    listed = _as_many(regions, len(contents), "lists of regions")
    if not contents:
        raise InputError("no rows, expected one at least")
    return [
        Row(name, content, _one_picture(picture, name), _numbered(row_regions, name))
        for name, content, picture, row_regions in zip(
            [f"row {number}" for number in range(len(contents))],
            contents,
            pictures,
            listed,
            strict=True,
        )
    ]


def _as_many(values: Any, rows: int, what: str) -> Sequence[Any]:
    if values is None:
        return [None] * rows
    if not isinstance(values, list | tuple):
        raise InputError(f"{rows} texts in a list, expected a list of as many {what}")
    if len(values) != rows:
        raise InputError(f"{rows} texts and {len(values)} {what}, expected as many (None for none)")
    return values


def _one_picture(picture: Any, name: str) -> Any:
    if not isinstance(picture, list | tuple):
        return picture
    if len(picture) > 1:
        raise InputError(f"{name}: {len(picture)} pictures, expected one at most")
    return picture[0] if picture else None


def _numbered(regions: Any, name: str) -> Mapping[int, Any]:
    if regions is None:
        return {}
    if isinstance(regions, str | bytes | Mapping) or not hasattr(regions, "__len__"):
        raise InputError(f"{name}: expected a list of regions, found {regions!r:.60}")
    if any(isinstance(region, Real) or getattr(region, "ndim", 1) == 0 for region in regions):
        raise InputError(
            f"{name}: expected a list of regions, e.g. [(x0, y0, x1, y1)], found the numbers "
            f"{regions!r:.60}"
        )
    return dict(enumerate(regions, start=1))


def _plain(messages: Any, name: str) -> tuple[list[Message], list[Any]]:
    """Return messages with their content as text, and the pictures that their parts carry."""
    plain, pictures = [], []
    for message in messages:
        if not isinstance(message, Mapping) or not {"role", "content"} <= message.keys():
            raise InputError(
                f"{name}: expected messages with role and content, found {message!r:.60}"
            )
        content = message["content"]
        if not isinstance(content, str):
            pictures += _part_pictures(content, name)
            content = "".join(
                _part_text(content, position, name) for position in range(len(content))
            )
        plain.append({"role": message["role"], "content": content})
    return plain, pictures


def _part_pictures(parts: Any, name: str) -> list[Any]:
    if not isinstance(parts, list | tuple) or not all(isinstance(part, Mapping) for part in parts):
        raise InputError(f"{name}: expected a text or a list of parts, found {parts!r:.60}")
    pictures = [part for part in parts if part.get("type") == "image"]
    return [part[key] for part in pictures for key in _PICTURE_KEYS if key in part]


def _part_text(parts: Sequence[Mapping[str, Any]], position: int, name: str) -> str:
    """Return the text of a part; a line break parts a picture from its text, as in shards."""
    part = parts[position]
    if part.get("type") == "image":
        return IMAGE_TOKEN
    if part.get("type") != "text":
        raise InputError(f"{name}: a part of type {part.get('type')!r}, expected image or text")
    follows_picture = position > 0 and parts[position - 1].get("type") == "image"
    text: str = part["text"]
    return f"\n{text}" if follows_picture and not text.startswith("\n") else text
