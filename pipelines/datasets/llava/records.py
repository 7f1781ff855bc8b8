"""LLaVA's conversations, decoded record by record so that a bad record affects no other.

    [{"id": "000000033471", "image": "coco/train2017/000000033471.jpg",
      "conversations": [{"from": "human", "value": "<image>\\nWhat are the colors of the bus?"},
                        {"from": "gpt", "value": "The bus in the image is white and red."}, ...]}]

Turns alternate, and a human begins. A record without `image` is text only. `<image>` begins or ends
the first turn of a record with a picture, and appears nowhere else: a record with `<image>`
elsewhere, or without it, is refused, because its text may be about another picture, or about none.
`id` repeats over the records of one picture.

Records that users wrote are read where they plainly say the same: a list of one picture (`image`
or `images`), `"image": ""` for none, turns from `user` and `assistant`, turns as `messages` with
`role` and `content`; a record without an id is known by its content. A record of several pictures,
and one with a system prompt, is refused.
Format: https://github.com/haotian-liu/LLaVA/blob/main/docs/Finetune_Custom_Data.md
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import msgspec

from pipelines.datasets.common.content_ids import content_id
from pipelines.datasets.common.entries import Refused
from pipelines.datasets.common.lenient_json import decode_json, decode_whole
from pipelines.datasets.common.raw_items import ItemId, Raw, malformed
from schemas.item import Dialogue, Round
from schemas.rejection import Reason, Rejected
from schemas.sample import IMAGE_TOKEN


class Link(msgspec.Struct, gc=False):
    """The ids of a record and its picture."""

    id: ItemId | None = None
    image: str | list[str] | None = None
    images: list[str] = []

    @property
    def pictures(self) -> list[str]:
        """The names of the record's pictures."""
        named = [self.image] if isinstance(self.image, str) else self.image or []
        return [name for name in (*named, *self.images) if name]

    @property
    def picture(self) -> str | None:
        """The name of the record's picture; None: it has none."""
        return next(iter(self.pictures), None)


class _Turn(msgspec.Struct, gc=False):
    role: str = msgspec.field(name="from")
    value: str


class _Message(msgspec.Struct, gc=False):
    role: str
    content: str


class _Record(Link, gc=False):
    conversations: list[_Turn] = []
    messages: list[_Message] = []

    @property
    def turns(self) -> list[tuple[str, str]]:
        """The turns: who speaks, by LLaVA's name for the role, and the text."""
        turns = [(turn.role, turn.value) for turn in self.conversations]
        turns += [(message.role, message.content) for message in self.messages]
        return [(_ROLES.get(role, role), text) for role, text in turns]


_ROLES = {"user": "human", "assistant": "gpt"}


@dataclass(slots=True)
class Group:
    """The records of one picture, or the text-only records of one id."""

    name: str  # the owner's name of the picture, or the id
    text_only: bool
    mixed: bool = False  # True: records with and without a picture share a key
    raws: list[Raw] = field(default_factory=list)

    def add(self, raw: Raw, *, text_only: bool) -> None:
        """Add a record to the group."""
        self.mixed |= text_only is not self.text_only
        self.raws.append(raw)

    @property
    def number(self) -> int:
        """The number of records."""
        return len(self.raws)


_FILE = msgspec.json.Decoder(list[Raw])
_LINK = msgspec.json.Decoder(Link)
_RECORD = msgspec.json.Decoder(_Record)


def decode_records(content: bytes, path: str) -> list[Raw]:
    """Return the records of a file, undecoded.

    Raises:
        InputFileError: the content is no JSON, or no list.
    """
    return decode_whole(
        _FILE,
        content,
        path,
        "a whole file of LLaVA's",
        "Expected a JSON list of records with id, image and conversations. If it is a download, "
        "fetch it again; if another tool wrote it, check that tool's export.",
    )


def links(records: Sequence[Raw]) -> Iterator[tuple[Raw, Link | Refused]]:
    """Yield every record with the ids of its link, or with the reason why a link is missing."""
    for position, raw in enumerate(records):
        try:
            link = decode_json(_LINK, raw)
            if link.id is None and link.picture is None and not decode_json(_RECORD, raw).turns:
                raise msgspec.ValidationError("neither an id nor a picture nor turns")
            if (several := len(link.pictures)) > 1:
                detail = f"the record names {several} pictures, expected one at most"
                yield raw, (id_of(raw), Rejected(Reason.MALFORMED, detail))
                continue
            yield raw, link
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            yield raw, (f"records[{position}]", malformed(error))


def id_of(raw: Raw) -> str:
    """Return the id of a record with a valid link; one made of its text where it has none."""
    link = decode_json(_LINK, raw)
    return content_id("record", bytes(raw)) if link.id in {None, ""} else str(link.id)


def picture_of(raw: Raw) -> str | None:
    """Return the name of a record's picture; None for a malformed record, or without a picture."""
    try:
        return decode_json(_LINK, raw).picture
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def dialogue_of(raw: Raw) -> Dialogue:
    """Return a record as a dialogue, whose id is the record's id and a digest of the texts.

    Raises:
        Rejected: the record is malformed (`malformed`).
    """
    try:
        record = decode_json(_RECORD, raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise malformed(error) from None
    rounds = _rounds(record)
    texts = [text.encode(errors="surrogatepass") for r in rounds for text in (r.request, r.answer)]
    return Dialogue(content_id(id_of(raw), *texts), rounds)


def _rounds(record: _Record) -> tuple[Round, ...]:
    turns = record.turns
    roles = [role for role, _ in turns]
    if not turns or roles != ["human", "gpt"] * (len(turns) // 2):
        raise _malformed(f"turns are from {', '.join(roles[:8]) or 'nobody'}, expected human, gpt")
    texts = [text for _, text in turns]
    if record.picture is not None:
        texts[0] = _without_token(texts[0])
    if any(IMAGE_TOKEN in text for text in texts):
        detail = "its first turn holds it already" if record.picture else "the record has no image"
        raise _malformed(f"{IMAGE_TOKEN} stands in a turn where it should not: {detail}")
    return tuple(map(Round, texts[::2], texts[1::2]))


def _without_token(text: str) -> str:
    text = text.strip()
    if text.startswith(IMAGE_TOKEN):
        return text.removeprefix(IMAGE_TOKEN).strip()
    if text.endswith(IMAGE_TOKEN):
        return text.removesuffix(IMAGE_TOKEN).strip()
    raise _malformed(f"expected {IMAGE_TOKEN} where the first turn begins or ends: {text[:80]!r}")


def _malformed(detail: str) -> Rejected:
    return Rejected(Reason.MALFORMED, detail)
