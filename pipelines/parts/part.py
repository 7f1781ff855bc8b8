"""A finished output that another one takes records from."""

from dataclasses import dataclass

from pipelines.output.reader import read_ledger, read_manifest
from schemas.ledger import Ledger
from schemas.manifest import Manifest, Shard

SplitKey = tuple[str, str]  # config, split


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A finished output, with all that its files state of it."""

    output: str  # its folder
    manifest: Manifest
    ledger: Ledger

    def splits(self) -> list[SplitKey]:
        """Return the splits of the output, in order."""
        return sorted({(shard.config, shard.split) for shard in self.manifest.shards})

    def shards(self, key: SplitKey) -> list[Shard]:
        """Return the shards of a split, in order."""
        shards = [shard for shard in self.manifest.shards if (shard.config, shard.split) == key]
        return sorted(shards, key=lambda shard: shard.index)


def open_part(output: str) -> Part:
    """Return a finished output.

    Raises:
        InputFileError: there is none, or one of its files cannot be read.
    """
    manifest = read_manifest(output)
    return Part(output=output, manifest=manifest, ledger=read_ledger(output))
