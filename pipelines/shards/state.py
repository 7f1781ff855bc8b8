"""The state of a finished shard, by which a rerun can skip it.

    {"inputs": {"identity": "9f86...", "pictures": "60303a..."}, "fingerprint": "5f0c...",
     "shard": {"config": "coco", "split": "train", ...},
     "tally": [[["coco", "train", "write", "image", "kept"], 118]], "rejections": []}

A state that cannot be read, e.g. of an older version, counts as missing: the shard is written
again. So does one with unreadable pictures: they may be readable now.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from pipelines.shards.options import InputDigests, SplitKey
from pipelines.storage import files
from schemas.json_decoding import decode
from schemas.layout import config_of, state_path
from schemas.ledger import Tally, TallyKey
from schemas.manifest import Shard
from schemas.rejection import Reason, Rejection
from transforms.ledger import Ledgers

_PASSING = {Reason.IMAGE_MISSING, Reason.IMAGE_UNREADABLE}  # a rerun may succeed


class ShardState(msgspec.Struct, frozen=True):
    """The state of a finished shard, with what the stages after the grouping counted for it."""

    inputs: InputDigests
    fingerprint: str  # of the packed images
    shard: Shard  # the manifest's entry
    tally: tuple[tuple[TallyKey, int], ...]
    rejections: tuple[Rejection, ...]

    @classmethod
    def of(
        cls, inputs: InputDigests, fingerprint: str, shard: Shard, ledgers: Ledgers
    ) -> "ShardState":
        """Return the state of a shard that was just written; its rejections leave the ledgers."""
        tally = tuple(sorted(ledgers.tally().items()))
        return cls(inputs, fingerprint, shard, tally, tuple(ledgers.take_rejections()))

    def restore(self, ledgers: Ledgers) -> None:
        """Add the counts and rejections of the shard to the ledgers of its stages."""
        ledgers.include(Tally(dict(self.tally)), self.rejections)


def finished_shards(output: str, inputs: Mapping[SplitKey, InputDigests]) -> frozenset[str]:
    """Return the paths of the shards that are finished, and whose inputs are the given ones."""
    if files.is_local(output) and not files.exists(output):
        return frozenset()
    configs = {config for config, _ in inputs}
    sizes = dict(files.walk(output, links=False))
    return frozenset(
        name
        for name in sizes
        if config_of(name) in configs
        and (state := load_state(output, name, sizes))
        and state.inputs == inputs.get((state.shard.config, state.shard.split))
    )


def load_state(output: str, name: str, sizes: Mapping[str, int] | None = None) -> ShardState | None:
    """Return the state of a shard; None unless the shard is finished and its file is there.

    Args:
        output: the folder of the output.
        name: the path of the shard in the output.
        sizes: the sizes of all files of the output in bytes; None: the shard's is looked up.
    """
    if sizes is not None and state_path(name) not in sizes:
        return None
    try:
        state = decode(_DECODER, files.read(files.join(output, state_path(name))))
    except (FileNotFoundError, msgspec.DecodeError, UnicodeDecodeError):
        return None
    if state.shard.path != name:
        return None
    if any(rejection.reason in _PASSING for rejection in state.rejections):
        return None
    if state.shard.rows and not state.shard.turns:  # of an older program, which counted no turns
        return None
    written = files.join(output, name)
    size = files.size_if_there(written) if sizes is None else sizes.get(name)
    return state if size == state.shard.bytes else None


def save_state(output: str, state: ShardState) -> None:
    """Write the state of a finished shard."""
    files.write_whole(files.join(output, state_path(state.shard.path)), _ENCODER.encode(state))


def shard_as_json(shard: Shard) -> dict[str, Any]:
    """Return an entry of the manifest as msgspec encodes it."""
    return shard.model_dump()


def shard_from_json(kind: type[Shard], content: Any) -> Shard:
    """Return an entry of the manifest from what msgspec decodes."""
    return kind.model_validate(content)


_ENCODER = msgspec.json.Encoder(enc_hook=shard_as_json)
_DECODER = msgspec.json.Decoder(ShardState, dec_hook=shard_from_json)
