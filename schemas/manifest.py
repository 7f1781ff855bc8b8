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
    role: str  # what it is to the source, e.g. "train"
    name: str  # the file's name, without its folder
    bytes: int
    sha256: str  # of a folder: of the names and sizes of its files, not of what is in them


class Shard(_Frozen):
    """A finished shard."""

    config: str
    split: str
    index: int
    of: int
    path: str  # below the output, with forward slashes
    rows: int
    bytes: int
    sha256: str
    captions: int = 0  # regions that have one
    caption_words: int = 0  # of all of them


class GuardList(_Frozen):
    """The images of an evaluation, which no training split may hold."""

    name: str  # of the evaluation
    pictures: int = 0
    sha256: str = ""  # of all names they bear, sorted, a line feed between them; empty: none
    note: str = ""  # what a person should know of how the list came about
    missing: str = ""  # what of it is not there; empty: it is whole


class BuildIdentity(_Frozen):
    """The identity of a build: everything known beforehand that decides its bytes.

    A folder among the inputs counts by the names and sizes of its files; images are no inputs. Two
    builds of one identity write the same bytes as long as those files and images stay as they are.
    """

    schema_version: str
    builder: str
    recipe: dict[str, Any]
    inputs: list[InputFile]
    guard: list[GuardList] = []  # empty: nothing is guarded


class Manifest(_Frozen):
    """A finished build."""

    identity: BuildIdentity
    shards: list[Shard]
    rejected: dict[str, int]  # lines of `_rejected/<config>.jsonl`, by config
    short_categories: dict[str, dict[str, int]] = {}  # "source/split" to category to regions

    def filled(self) -> list[Shard]:
        """Return the shards of the splits that hold a row: `datasets` cannot open the others."""
        return [shard for shard in self.shards if self.rows(shard.config, shard.split)]

    def rows(self, config: str, split: str) -> int:
        """Return the number of records of a split of a config."""
        return sum(s.rows for s in self.shards if (s.config, s.split) == (config, split))
