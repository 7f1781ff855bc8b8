"""The mix of tasks in a build: shares of turns and of the words that a model learns from."""

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from rich.table import Table

from schemas.console import Console
from schemas.manifest import Manifest


class TaskShare(NamedTuple):
    """The turns of one task of a source, and the words of their answers; shares are of a build."""

    source: str
    task: str
    turns: int
    turn_share: float
    words: int
    word_share: float

    def cells(self) -> list[str]:
        """Return the row of a table."""
        turns, words = f"{self.turns:,}", f"{self.words:,}"
        shares = f"{self.turn_share:.1%}", f"{self.word_share:.1%}"
        return [self.source, self.task, turns, shares[0], words, shares[1]]


_HEADS = ("source", "task", "turns", "share", "words", "share")


def task_shares(manifest: Manifest) -> Iterator[TaskShare]:
    """Yield the share of each task of each source, by source and task."""
    turns: Counter[tuple[str, str]] = Counter()
    words: Counter[tuple[str, str]] = Counter()
    for shard in manifest.shards:
        for task, count in shard.turns.items():
            turns[shard.config, task] += count.turns
            words[shard.config, task] += count.words
    for (source, task), number in sorted(turns.items()):
        answered = words[source, task]
        turn_share, word_share = number / turns.total(), answered / max(1, words.total())
        yield TaskShare(source, task, number, turn_share, answered, word_share)


def mix_section(manifest: Manifest) -> str:
    """Return the card's section on the mix; empty where no turns were counted."""
    rows = [f"| {' | '.join(share.cells())} |" for share in task_shares(manifest)]
    if not rows:
        return ""
    note = "A model is trained on the words of the answers, which are counted here."
    head = [f"| {' | '.join(_HEADS)} |", "|---|---|---:|---:|---:|---:|"]
    return "\n".join(["## Mix", "", note, "", *head, *rows])


def print_mix(console: Console, manifest: Manifest) -> None:
    """Print the share of each task of each source; nothing where there is a single one."""
    shares = list(task_shares(manifest))
    if len(shares) < 2:
        return
    table = Table(box=None, pad_edge=False, collapse_padding=True)  # for narrow terminals
    for head in _HEADS:
        is_name = head in ("source", "task")  # of long names, a part stands on a further line
        table.add_column(
            head,
            justify="left" if is_name else "right",
            no_wrap=head != "task",
            overflow="fold",
        )
    for share in shares:
        table.add_row(*share.cells())
    console.print(table)
