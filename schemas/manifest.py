"""`manifest.json`: the inputs of a build, and the checksum of each shard.

{"identity": {"schema_version": "1", "builder": "regionforge 0.1.0", "recipe": {"seed": 0, ...},
              "inputs": [{"source": "coco", "split": "train", "role": "train",
                          "name": "instances_train2017.json", "bytes": 469785474,
                          "sha256": "..."}, ...], "guard": []},
 "shards": [{"config": "coco", "split": "train", "index": 0, "of": 1,
             "path": "coco/train-00000-of-00001.arrow", "rows": 24, "bytes": 163440,
             "sha256": "...", "captions": 0, "caption_words": 0}],
 "rejected": {"coco": 3}, "short_categories": {"coco/train": {"toaster": 5}}}
"""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

ImagesMode = Literal["embed", "reference"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class InputFile(_Frozen):
    """An owner's file that a build read, or a folder of files."""

    source: str
    split: str
    role: str  # the role of the file in the source, e.g. "train"
    name: str  # the file's name, without its folder
    bytes: int
    sha256: str  # of a folder: the digest of its files' names and sizes, not of their content


class Shard(_Frozen):
    """The entry of a finished shard."""

    config: str
    split: str
    index: int
    of: int
    path: str  # below the output, with forward slashes
    rows: int
    bytes: int
    sha256: str
    captions: int = 0  # the number of regions with a detailed caption
    caption_words: int = 0  # the number of words of these captions


class GuardList(_Frozen):
    """The images of an evaluation, which no training split may hold."""

    name: str  # the name of the evaluation
    pictures: int = 0
    sha256: str = ""  # of all names of the images, sorted, joined by line feeds; empty: no image
    note: str = ""  # a remark on the making of the list
    missing: str = ""  # the missing files of the list; empty: none


class BuildIdentity(_Frozen):
    """The identity of a build: everything known before the build that decides its bytes.

    A folder among the inputs counts by the names and sizes of its files; images do not count. Two
    builds with the same identity write the same bytes as long as files and images do not change.
    """

    schema_version: str
    builder: str
    recipe: dict[str, Any]
    inputs: list[InputFile]
    guard: list[GuardList] = []  # empty: no guard


class Manifest(_Frozen):
    """The manifest of a finished build."""

    identity: BuildIdentity
    shards: list[Shard]
    rejected: dict[str, int]  # lines of `_rejected/<config>.jsonl`, by config
    short_categories: dict[str, dict[str, int]] = {}  # "source/split" to category to regions

    def filled(self) -> list[Shard]:
        """Return the shards of splits with rows; the library `datasets` opens no empty splits."""
        return [shard for shard in self.shards if self.rows(shard.config, shard.split)]

    def rows(self, config: str, split: str) -> int:
        """Return the number of records of a split of a config."""
        return sum(s.rows for s in self.shards if (s.config, s.split) == (config, split))
