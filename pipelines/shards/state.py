"""What is remembered of a finished shard, so that a rerun can skip it."""

import msgspec
from pydantic import ValidationError

from pipelines.storage import files
from schemas.layout import state_path
from schemas.ledger import Tally, TallyKey
from schemas.manifest import Shard
from schemas.rejection import Reason, Rejection
from transforms.ledger import StageLedger

PASSING = {Reason.IMAGE_MISSING, Reason.IMAGE_UNREADABLE}  # what may be mended by the next run


class ShardState(msgspec.Struct, frozen=True):
    """A finished shard, what went into it, and what the ledger must still learn from it."""

    fingerprint: str
    shard_json: str
    tally: tuple[tuple[TallyKey, int], ...]
    rejections: tuple[Rejection, ...]

    @classmethod
    def of(cls, fingerprint: str, shard: Shard, ledger: StageLedger) -> "ShardState":
        """Return the state of a shard that was just written."""
        return cls(
            fingerprint,
            shard.model_dump_json(),
            tuple(sorted(ledger.tally.items())),
            tuple(ledger.rejections),
        )

    @property
    def shard(self) -> Shard:
        """The manifest's entry."""
        return Shard.model_validate_json(self.shard_json)

    def counts(self) -> Tally:
        """Return the tally of the stage that wrote it."""
        return Tally(dict(self.tally))


def load_state(output: str, name: str, fingerprint: str) -> ShardState | None:
    """Return the state of a finished shard if it is the one wanted and still there.

    A shard that lacks pictures that could not be read is not finished: they may be readable now.
    """
    path = files.join(output, state_path(name))
    if not files.exists(path):
        return None
    try:
        with files.open_read(path) as file:
            state = _DECODER.decode(file.read())
        size = state.shard.bytes
    except (msgspec.DecodeError, UnicodeDecodeError, ValidationError):
        return None
    written = files.join(output, name)
    whole = not any(rejection.reason in PASSING for rejection in state.rejections)
    known = whole and state.fingerprint == fingerprint and files.exists(written)
    return state if known and files.size_of(written) == size else None


def save_state(output: str, state: ShardState) -> None:
    """Remember a finished shard."""
    files.write_whole(files.join(output, state_path(state.shard.path)), msgspec.json.encode(state))


_DECODER = msgspec.json.Decoder(ShardState)
