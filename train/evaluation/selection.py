"""The questions of a build that an evaluation is about: some splits, or some pictures of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schemas.errors import InputFileError, UsageError
from train.data.build import Build
from train.data.pictures import picture_bytes
from train.data.rows import ShardRows
from train.evaluation.answers import Answer
from train.evaluation.questions import Question, read_questions, some_pictures


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Questions of a build."""

    build: Build
    rows: ShardRows
    splits: tuple[str, ...]
    limit: int | None  # pictures
    seed: int  # of their choice
    image_root: Path | None  # the folder of referenced pictures

    def questions(self) -> list[Question]:
        """Return the questions, in the order of the build.

        Raises:
            InputFileError: a record is damaged, or cannot be scored.
        """
        if self.limit is None:
            return read_questions(self.rows)
        return read_questions(self.rows, some_pictures(self.rows.ids(), self.limit, self.seed))

    def modes(self) -> list[str]:
        """Return how regions are spread over turns, where the build's recipe states it."""
        sources = self.build.manifest.identity.sources.values()
        return sorted({str(s.settings["mode"]) for s in sources if s.settings.get("mode")})

    def picture_of(self, answer: Answer) -> bytes | None:
        """Return the picture of an answer's record; None for text only.

        Raises:
            RegionForgeError: it cannot be read.
        """
        return picture_bytes(self.rows[answer.number], self.image_root)

    def question_of(self, answer: Answer) -> str:
        """Return what was asked in an answer's turn."""
        users = [m["content"] for m in self.rows[answer.number]["messages"] if m["role"] == "user"]
        return str(users[answer.turn])

    def as_json(self) -> dict[str, Any]:
        """Return which questions are meant."""
        return {
            "manifest": self.build.digest,
            "splits": list(self.splits),
            "limit": self.limit,
            "seed": self.seed,
        }


def open_rows(build: Build, asked: Sequence[str] | None) -> tuple[tuple[str, ...], ShardRows]:
    """Return the splits that are meant, and their rows.

    Args:
        build: of an evaluation.
        asked: names of splits; None: all.

    Raises:
        RegionForgeError: there is no such split, or nothing is asked about.
    """
    known = sorted({shard.split for shard in build.manifest.filled()})
    splits = tuple(dict.fromkeys(asked or known))
    rows = ShardRows(build, [shard for split in splits for shard in build.shards(split)])
    if not any(row["evaluation"] for row in rows.columns(["evaluation"])):
        raise InputFileError(
            f"{build.folder}: no record is asked about: expected the build of an evaluation's "
            "recipe, e.g. `regionforge build --recipe eval_pope`"
        )
    return splits, rows


def image_root(named: str | None, build: Build, *, needed: bool) -> Path | None:
    """Return the folder of referenced pictures, if the build has references.

    Args:
        named: the folder that the user names.
        build: see there.
        needed: nothing can be done without the pictures.

    Raises:
        UsageError: it is needed and not named, or the other way round, or there is none.
    """
    if not build.refers:
        if named is not None:
            raise UsageError("--image-root: the shards hold the pictures themselves: leave it out")
        return None
    if named is None:
        if needed:
            raise UsageError(
                "the shards hold references to pictures: name their folder, --image-root"
            )
        return None
    if not (folder := Path(named)).is_dir():
        raise UsageError(f"--image-root {folder}: no such folder")
    return folder
