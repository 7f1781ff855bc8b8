"""The state of a finished source, by which a rerun need not read the source again.

    {"inputs": {"train": {"identity": "9f86...", "pictures": "60303a..."}},
     "shards": [{"config": "coco", "split": "train", ...}],
     "tally": [[["coco", "train", "read", "image", "kept"], 118]],
     "short": [[["coco", "train", "toaster"], 5]], "rejected": 3, "rejected_bytes": 402}

It is written when the source's shards and its list of rejected items are complete. A state that
cannot be read counts as missing: the source is read again.
"""

from collections.abc import Collection, Mapping

import msgspec

from pipelines.shards.options import InputDigests
from pipelines.shards.state import shard_as_json, shard_from_json
from pipelines.storage import files
from schemas.json_decoding import decode
from schemas.layout import rejected_path, source_state_path
from schemas.ledger import TallyKey
from schemas.manifest import Shard

CategoryKey = tuple[str, str, str]  # source, split, category


class SourceState(msgspec.Struct, frozen=True, kw_only=True):
    """The state of a source that is finished: all that the files of the whole output say of it."""

    inputs: dict[str, InputDigests]  # by split
    shards: tuple[Shard, ...]  # the manifest's entries
    tally: tuple[tuple[TallyKey, int], ...]  # of all stages
    short: tuple[tuple[CategoryKey, int], ...]  # categories with fewer regions than their cap
    rejected: int  # the number of lines in the list of rejected items
    rejected_bytes: int  # the size of that list


def load_source_state(
    output: str, config: str, inputs: Mapping[str, InputDigests], shards: Collection[str]
) -> SourceState | None:
    """Return the state of a config; None unless it is finished, with all of its files.

    Args:
        output: the folder of the output.
        config: the name of the config.
        inputs: the inputs of its splits, which must be those of the state.
        shards: the paths of all shards of the output that are finished.
    """
    path = files.join(output, source_state_path(config))
    if not files.exists(path):
        return None
    try:
        state = decode(_DECODER, files.FileStore().read(path))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    listed = rejected_bytes(output, config) == state.rejected_bytes
    finished = all(shard.path in shards for shard in state.shards)
    return state if state.inputs == inputs and listed and finished else None


def rejected_bytes(output: str, config: str) -> int:
    """Return the size of a config's list of rejected items; 0 where there is none."""
    path = files.join(output, rejected_path(config))
    return files.size_of(path) if files.exists(path) else 0


def save_source_state(output: str, config: str, state: SourceState) -> None:
    """Write the state of a finished source."""
    files.write_whole(files.join(output, source_state_path(config)), _ENCODER.encode(state))


_ENCODER = msgspec.json.Encoder(enc_hook=shard_as_json, order="sorted")
_DECODER = msgspec.json.Decoder(SourceState, dec_hook=shard_from_json)
