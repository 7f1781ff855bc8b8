"""A finished build as training reads it: the manifest, and the shards of some configs and a split.

SHARDS/
  manifest.json                        read once; its digest goes into the run's record
  coco/train-00000-of-00002.arrow      mapped into memory, see `rows`
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from schemas.errors import InputFileError, OtherSchemaError, UsageError
from schemas.layout import MANIFEST
from schemas.manifest import Manifest, Shard
from schemas.shard import VERSION


@dataclass(frozen=True)
class Build:
    """The folder of a build, its manifest, and the manifest's SHA-256 in hexadecimal."""

    folder: Path
    manifest: Manifest
    digest: str

    @classmethod
    def open(cls, folder: Path) -> "Build":
        """Return the build in a folder.

        Raises:
            UsageError: there is no such folder.
            InputFileError: there is no finished build, or its manifest cannot be read.
            OtherSchemaError: its records are of another schema version.
        """
        path = folder / MANIFEST
        if not folder.exists():
            raise UsageError(f"{folder}: there is no such folder; expected a build's output")
        try:
            content = path.read_bytes()
        except OSError as error:
            raise InputFileError(
                f"{path}: {error.strerror}. Expected the output of a finished `regionforge build`: "
                "a build that was interrupted has no manifest yet"
            ) from None
        try:
            manifest = Manifest.model_validate_json(content)
        except ValidationError as error:
            fault = error.errors(include_url=False)[0]
            raise InputFileError(
                f"{path}: {'.'.join(map(str, fault['loc']))}: {fault['msg']}. It is not the "
                "manifest of a `regionforge build`, or of another version"
            ) from None
        if (version := manifest.identity.schema_version) != VERSION:
            raise OtherSchemaError(
                f"{folder}: schema {version}, expected {VERSION}: build again; captions are kept"
            )
        return cls(folder, manifest, hashlib.sha256(content).hexdigest())

    @property
    def refers(self) -> bool:
        """Whether the records refer to pictures instead of holding them."""
        return self.manifest.identity.recipe.get("images") == "reference"

    def shards(self, split: str, configs: Sequence[str] | None = None) -> list[Shard]:
        """Return the shards of a split, config by config, which are all there and whole in size.

        Args:
            split: e.g. `train`.
            configs: names of sources; None: all that have the split.

        Raises:
            UsageError: there is no such config or split.
            InputFileError: a shard is missing, or has another size than the manifest says.
        """
        known = sorted({shard.config for shard in self.manifest.shards})
        if unknown := [name for name in configs or () if name not in known]:
            raise UsageError(f"{self.folder} has no config {unknown[0]!r}, but {', '.join(known)}")
        chosen = known if configs is None else list(dict.fromkeys(configs))
        shards = [
            shard
            for config in chosen
            for shard in self.manifest.shards
            if (shard.config, shard.split) == (config, split)
        ]
        if without := set(configs or ()) - {shard.config for shard in shards}:
            raise UsageError(f"config {min(without)!r} of {self.folder} has no split {split!r}")
        if not shards:
            splits = sorted({shard.split for shard in self.manifest.shards})
            raise UsageError(f"{self.folder} has no split {split!r}, but {', '.join(splits)}")
        for shard in shards:
            self._check_size(shard)
        return shards

    def _check_size(self, shard: Shard) -> None:
        path = self.folder / shard.path
        try:
            size = path.stat().st_size
        except OSError as error:
            raise InputFileError(f"{path}: {error.strerror}, but the manifest lists it") from None
        if size != shard.bytes:
            raise InputFileError(
                f"{path} has {size} bytes, expected {shard.bytes} by the manifest: copy or build "
                "it again; `regionforge verify` says more"
            )
