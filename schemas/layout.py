"""The names of the files and folders of an output.

    OUTPUT/
      README.md                                the dataset card
      manifest.json                            the build's inputs, and the digest of every shard
      ledger.json                              the outcome of every item that was read
      coco/train-00000-of-00002.arrow          a shard of the config `coco`
      _rejected/coco.jsonl                     the items of `coco` that were left out
      _state/build.json                        the identity of the build, written first
      _state/inputs.json                       the digests of input files, for a rerun
      _state/coco/train-00000-of-00002.arrow.json     a finished shard, for a rerun
      _state/coco.json                         the finished source `coco`, for a rerun
      _state/captions/                         the captioner's answers, of a run of `recap`
      _state/captions/segments/                of those, what is not merged yet
      _state/server.log                        the log of a server that `recap` started
      _state/probe.json                        of a runner's probe, while it runs
      _state/workers/                          signs of life of other engines' workers, of a run
      _state/lease/                            in a store, while a run writes: its claim

An export of an output holds, beside what its format asks for:

    EXPORT/
      README.md                                a card
      export.json                              the build it is of, and what was lost
      files.jsonl                              the digest of every other file

Paths are relative to the output, with forward slashes. No other module spells these names.
"""

import re

CARD = "README.md"
MANIFEST = "manifest.json"
LEDGER = "ledger.json"
REJECTED_FOLDER = "_rejected"
STATE_FOLDER = "_state"
IDENTITY = f"{STATE_FOLDER}/build.json"
INPUT_DIGESTS = f"{STATE_FOLDER}/inputs.json"
JOURNAL_FOLDER = f"{STATE_FOLDER}/captions"
SEGMENT_FOLDER = f"{JOURNAL_FOLDER}/segments"
LEASE_FOLDER = f"{STATE_FOLDER}/lease"
WORKER_FOLDER = f"{STATE_FOLDER}/workers"
PROBE = f"{STATE_FOLDER}/probe.json"
SERVER_LOG = f"{STATE_FOLDER}/server.log"
SHARD_SUFFIX = ".arrow"
EXPORT = "export.json"
EXPORT_FILES = "files.jsonl"
DATASET_INFO = "dataset_info.json"  # LLaMA-Factory's name for it

_SHARD = re.compile(rf"([^/]+)/[^/]+-\d{{5}}-of-\d{{5}}{re.escape(SHARD_SUFFIX)}")


def shard_name(split: str, index: int, of: int) -> str:
    """Return the file name of one shard of a split, e.g. `train-00000-of-00002.arrow`."""
    return f"{split}-{index:05d}-of-{of:05d}{SHARD_SUFFIX}"


def shard_path(config: str, split: str, index: int, of: int) -> str:
    """Return the path of a shard, e.g. `coco/train-00000-of-00002.arrow`."""
    return f"{config}/{shard_name(split, index, of)}"


def shard_pattern(config: str, split: str, of: int) -> str:
    """Return a glob pattern for the shards of a split, e.g. `coco/train-*-of-00002.arrow`."""
    return f"{config}/{split}-*-of-{of:05d}{SHARD_SUFFIX}"


def split_pattern(config: str, split: str) -> str:
    """Return a glob pattern for a split of any number of shards, e.g. `coco/train-*.arrow`."""
    return f"{config}/{split}-*{SHARD_SUFFIX}"


def segment_folder(config: str, split: str, index: int, of: int) -> str:
    """Return the folder of what is not merged yet of the captions of a shard."""
    return f"{SEGMENT_FOLDER}/{config}/{split}-{index:05d}-of-{of:05d}"


def config_of(path: str) -> str | None:
    """Return the config in a shard's path, e.g. `coco`; None for any other file."""
    match = _SHARD.fullmatch(path)
    return match[1] if match else None


def rejected_path(config: str) -> str:
    """Return the path of a config's rejected items, e.g. `_rejected/coco.jsonl`."""
    return f"{REJECTED_FOLDER}/{config}.jsonl"


def source_state_path(config: str) -> str:
    """Return the path of the state of a finished source, from its config."""
    return f"{STATE_FOLDER}/{config}.json"


def state_path(shard: str) -> str:
    """Return the path of the state of a finished shard, from the path of the shard."""
    return f"{STATE_FOLDER}/{shard}.json"


def exported_conversations(config: str, split: str, suffix: str) -> str:
    """Return the path of a split's conversations in an export, e.g. `coco/train.jsonl`."""
    return f"{config}/{split}{suffix}"


def exported_picture(config: str, split: str, name: str) -> str:
    """Return the path of a picture in an export, by the owner's name for it."""
    return f"images/{config}/{split}/{name}"


def exported_instances(config: str, split: str) -> str:
    """Return the path of a split in COCO's format, e.g. `annotations/instances_coco_train.json`."""
    return f"annotations/instances_{config}_{split}.json"


def exported_shard(shard: str, suffix: str) -> str:
    """Return the path of a shard in another format, from the path of the shard."""
    return shard.removesuffix(SHARD_SUFFIX) + suffix
