"""The state of a finished shard, by which a rerun can skip it.

    {"fingerprint": "5f0c...", "shard": {"config": "coco", "split": "train", ...},
     "tally": [[["coco", "train", "write", "image", "kept"], 118]], "rejections": []}

A state that cannot be read, e.g. of an older version, counts as missing: the shard is written
again.
"""

from typing import Any

import msgspec

from pipelines.storage import files
from schemas.layout import state_path
from schemas.ledger import Tally, TallyKey
from schemas.manifest import Shard
from schemas.rejection import Reason, Rejection
from transforms.ledger import StageLedger

_PASSING = {Reason.IMAGE_MISSING, Reason.IMAGE_UNREADABLE}  # a rerun may succeed


class ShardState(msgspec.Struct, frozen=True):
    """The state of a finished shard: its fingerprint, manifest entry, counts and rejections."""

    fingerprint: str
    shard: Shard  # the manifest's entry
    tally: tuple[tuple[TallyKey, int], ...]
    rejections: tuple[Rejection, ...]

    @classmethod
    def of(cls, fingerprint: str, shard: Shard, ledger: StageLedger) -> "ShardState":
        """Return the state of a shard that was just written."""
        tally = tuple(sorted(ledger.tally.items()))
        return cls(fingerprint, shard, tally, tuple(ledger.rejections))

    def counts(self) -> Tally:
        """Return the tally of the stage that wrote the shard."""
        return Tally(dict(self.tally))


def load_state(output: str, name: str, fingerprint: str) -> ShardState | None:
    """Return the state of a finished shard if the fingerprint is the same and the file exists.

    A shard with unreadable pictures does not count as finished: they may be readable now.
    """
    path = files.join(output, state_path(name))
    if not files.exists(path):
        return None
    try:
        with files.open_read(path) as file:
            state = _DECODER.decode(file.read())
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    written = files.join(output, name)
    whole = not any(rejection.reason in _PASSING for rejection in state.rejections)
    known = whole and state.fingerprint == fingerprint and files.exists(written)
    return state if known and files.size_of(written) == state.shard.bytes else None


def save_state(output: str, state: ShardState) -> None:
    """Write the state of a finished shard."""
    files.write_whole(files.join(output, state_path(state.shard.path)), _ENCODER.encode(state))


def _encoded(shard: Shard) -> dict[str, Any]:
    return shard.model_dump()


def _decoded(kind: type[Shard], content: Any) -> Shard:
    return kind.model_validate(content)


_ENCODER = msgspec.json.Encoder(enc_hook=_encoded)
_DECODER = msgspec.json.Decoder(ShardState, dec_hook=_decoded)
