"""`manifest.json`: the identity of a build, and the checksum of each shard.

{"identity": {"schema_version": "2", "builder": "regionforge 0.1.0",
              "recipe": {"name": "all", "images": "embed", "shard_bytes": 524288000, ...},
              "sources": {"coco": {"builder": "regionforge 0.1.0", "version": 1,
                                   "settings": {"seed": 0, "style": "regiongpt", ...},
                                   "wordings": {"region_caption_phrase": "81b0...", ...},
                                   "inputs": [{"source": "coco", "split": "train",
                                               "role": "train",
                                               "name": "instances_train2017.json",
                                               "bytes": 469785474, "sha256": "..."}, ...],
                                   "guard": {"coco": "60303a..."}}},
              "guard": [{"name": "coco_val2017", "pictures": 5000, "sha256": "..."}, ...]},
 "shards": [{"config": "coco", "split": "train", "index": 0, "of": 1,
             "path": "coco/train-00000-of-00001.arrow", "rows": 24, "bytes": 163440,
             "sha256": "...", "captions": 0, "caption_words": 0,
             "turns": {"region_classification": {"turns": 96, "words": 104}}}],
 "rejected": {"coco": 3}, "short_categories": {"coco/train": {"toaster": 5}}}
"""

import hashlib
import json
from collections.abc import Collection
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

ImagesMode = Literal["embed", "reference"]

# Settings of a recipe that belong to the whole output. The name stands in every record.
COMMON = ("name", "images", "shard_bytes")


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


class TurnCount(_Frozen):
    """The assistant turns of one task, and the words that a model learns from them."""

    turns: int
    words: int  # of the assistant messages, separated by blanks


class SizeCount(_Frozen):
    """The regions of one size that were to be captioned, and what became of their captions."""

    regions: int
    captioned: int  # whose caption passed the checks of its words
    kept: int  # whose caption the scorer kept as well, if there is one


class AgreementCount(_Frozen):
    """The regions of which several captions were drawn, and how well these agree."""

    regions: int
    total: float  # of the overlaps of kept captions with the others, each 0 to 1


class RepeatCount(_Frozen):
    """The captions that passed all other checks, and those of them that are left out as repeats."""

    captions: int
    alike: int  # that repeat one of their class
    openings: int  # that begin as too many of their class do


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
    turns: dict[str, TurnCount] = {}  # by task; empty in shards of an older program
    # Of captioned regions, by the least shorter side of a size in pixels: "32" is 32 to 63.
    sizes: dict[str, SizeCount] = {}
    agreement: AgreementCount | None = None  # None: one caption of each region was drawn
    repeats: RepeatCount | None = None  # None: captions were not compared with one another


class GuardList(_Frozen):
    """The images of an evaluation, which no training split may hold."""

    name: str  # the name of the evaluation
    pictures: int = 0
    sha256: str = ""  # of all names of the images, sorted, joined by line feeds; empty: no image
    note: str = ""  # a remark on the making of the list
    missing: str = ""  # the missing files of the list; empty: none


class SourceIdentity(_Frozen):
    """The identity of a source in a build: everything known before that decides its shards.

    Settings that the source's tasks do not go by are left out, so that they may change. A folder
    among the inputs counts by the names and sizes of its files; images do not count.
    """

    builder: str  # the program that made the shards; another one that finds them keeps them
    version: int  # of the source's code, see `DatasetSpec.version`
    settings: dict[str, Any]  # of the resolved recipe
    wordings: dict[str, str]  # digest of each set of wordings that the tasks use, by name
    inputs: list[InputFile]
    # Digest of the names of the evaluations' pictures, by the data set that names them; only of
    # the data sets in whose names the source's own pictures are known. Empty: not guarded.
    guard: dict[str, str] = {}

    def same_as(self, other: "SourceIdentity") -> bool:
        """Return whether two identities are equal but for the builder."""
        return self == other.model_copy(update={"builder": self.builder})

    def reading(self, other: "SourceIdentity") -> "SourceIdentity":
        """Return the identity with the inputs and the guard's lists of another one."""
        return self.model_copy(update={"inputs": other.inputs, "guard": other.guard})


class BuildIdentity(_Frozen):
    """The identity of a build: that of each source, and what belongs to the whole output.

    Two builds with the same identity write the same bytes as long as files and images do not
    change.
    """

    schema_version: str
    builder: str  # the program that ran last
    recipe: dict[str, Any]  # the whole recipe, for readers; only the `COMMON` settings decide
    sources: dict[str, SourceIdentity]  # by config
    guard: list[GuardList] = []  # empty: no guard

    @property
    def inputs(self) -> list[InputFile]:
        """The files that the build read, source by source."""
        return [item for source in self.sources.values() for item in source.inputs]

    @property
    def common(self) -> dict[str, Any]:
        """The settings that belong to the whole output."""
        return {key: self.recipe.get(key) for key in COMMON}

    def recipe_of(self, config: str) -> dict[str, Any]:
        """Return name and seed of the recipe that made a config, as its records state them.

        An output that was united from several builds states each under `recipes`.
        """
        recipe = self.recipe.get("recipes", {}).get(config, self.recipe)
        return {"name": recipe.get("name"), "seed": recipe.get("seed")}

    def as_json(self) -> bytes:
        """Return the identity as its file holds it."""
        return self.model_dump_json(indent=2).encode()

    def digest_of(self, config: str) -> str:
        """Return the SHA-256, in hexadecimal, of all that decides the shards of a config."""
        return self._digest(self.sources[config])

    def making_digest_of(self, config: str, roles: Collection[str]) -> str:
        """Return the SHA-256, in hexadecimal, of all that decides what is made of an image.

        That is all of `digest_of` but the guard and the files by which images are read.

        Args:
            config: the config.
            roles: the roles of inputs that are looked up once images are read.
        """
        source = self.sources[config]
        looked_up = [item for item in source.inputs if item.role in roles]
        return self._digest(source.model_copy(update={"inputs": looked_up, "guard": {}}))

    def _digest(self, source: SourceIdentity) -> str:
        content = [self.schema_version, self.common, source.model_dump(mode="json")]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


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
