"""Merging an image's conversations of several tasks into conversations of many turns.

RegionGPT trains on conversations that go through all tasks of an image (supplement, A.2). Such a
conversation must not give an answer away before it is asked for:

- A choice among regions comes first, and the regions that its description may fit have no other
  turn in its conversation.
- No phrase occurs twice: a phrase used as a region's caption would give away the answer where the
  phrase is matched with a region.
- A region's detailed caption does not precede its classification.

So the turns of a conversation may be spread over several, but for those that follow another turn.
"""

from collections.abc import Iterable, Sequence

from prompts.detokenise import detokenised
from prompts.dialogue import Exchange
from schemas.item import Expression, Item
from schemas.sample import Task

# The order of tasks in a conversation; the others stand between, as they are given.
_ORDER = {Task.REFERRING_EXPRESSION_COMPREHENSION: -1, Task.REGION_DETAILED_CAPTION: 1}


class _Block:
    """An exchange and those that follow it, which stay together."""

    def __init__(self, exchange: Exchange, words: dict[str, str]) -> None:
        self.exchanges = [exchange]
        self.contents = {words.get(item, item) for item in exchange.items}
        self.regions = exchange.region_ids()
        self.opens = exchange.alone or bool(exchange.apart) or not any(exchange.request)

    def add(self, following: "_Block") -> None:
        """Add an exchange that needs those of the block."""
        self.exchanges += following.exchanges
        self.contents |= following.contents
        self.regions |= following.regions


class _Talk:
    """An unfinished conversation, and what it must not hold further."""

    def __init__(self, blocks: Sequence[_Block]) -> None:
        self.exchanges: list[Exchange] = []
        self._contents: set[str] = set()
        self._add(blocks)
        self._apart = {name for exchange in self.exchanges for name in exchange.apart}
        self._alone = any(exchange.alone for exchange in self.exchanges)

    def taken(self, blocks: Sequence[_Block]) -> list[_Block]:
        """Add blocks of a further task, as far as they are allowed, and return the others."""
        if self._alone:
            return list(blocks)
        allowed = [self._allows(block) for block in blocks]
        self._add([block for block, fits in zip(blocks, allowed, strict=True) if fits])
        return [block for block, fits in zip(blocks, allowed, strict=True) if not fits]

    def _allows(self, block: _Block) -> bool:
        return (
            not block.opens
            and self._contents.isdisjoint(block.contents)
            and self._apart.isdisjoint(block.regions)
        )

    def _add(self, blocks: Sequence[_Block]) -> None:
        for block in blocks:
            self.exchanges += block.exchanges
            self._contents |= block.contents


def merged(
    tasks: Iterable[Sequence[list[Exchange]]], items: Iterable[Item] = ()
) -> list[list[Exchange]]:
    """Return the conversations of all tasks, merged into few.

    Args:
        tasks: the conversations of each task, in order. Two of the same task stay separate, and
            no turns are added above a conversation without a first request.
        items: the items that the exchanges were made from. Expressions that read the same, upper
            case apart, count as one, whichever regions they are about.
    """
    filled = sorted([task for task in tasks if task], key=lambda task: _order(task[0]))
    if len(filled) < 2:
        return [list(exchanges) for task in filled for exchanges in task]
    words = {
        item.id: detokenised(item.text).casefold() for item in items if isinstance(item, Expression)
    }
    talks: list[_Talk] = []
    for conversations in filled:
        free = list(talks)  # the conversations without a turn of this task
        for exchanges in conversations:
            rest = _blocks(exchanges, words)
            still_free = []
            for talk in free:
                left = talk.taken(rest)
                if len(left) == len(rest):
                    still_free.append(talk)
                rest = left
            free = still_free
            if rest:
                talks.append(_Talk(rest))
    return [talk.exchanges for talk in talks]


def _order(exchanges: Sequence[Exchange]) -> int:
    return _ORDER.get(exchanges[0].task, 0)


def _blocks(exchanges: Iterable[Exchange], words: dict[str, str]) -> list[_Block]:
    blocks: list[_Block] = []
    for exchange in exchanges:
        block = _Block(exchange, words)
        if exchange.follows:
            blocks[-1].add(block)
        else:
            blocks.append(block)
    return blocks
