"""Merging an image's conversations of several tasks into conversations of many turns.

RegionGPT trains on one conversation per image that goes through all its tasks (supplement, A.2).
Such a conversation holds no phrase twice: a phrase used as a region's caption would give away the
answer where the phrase is matched with a region, so such exchanges go into separate conversations.
"""

from collections.abc import Iterable, Sequence

from prompts.dialogue import Exchange
from schemas.item import Expression, Item


def merged(
    tasks: Iterable[Sequence[list[Exchange]]], items: Iterable[Item] = ()
) -> list[list[Exchange]]:
    """Return the conversations of all tasks, merged into as few as possible.

    Args:
        tasks: the conversations of each task, in order; every conversation stays whole, and two of
            the same task stay separate. A conversation without a first request comes first.
        items: the items that the exchanges were made from. Expressions that read the same, upper
            case apart, count as one, whichever regions they are about.
    """
    words = {item.id: item.text.casefold() for item in items if isinstance(item, Expression)}
    talks: list[list[Exchange]] = []
    used: list[set[str]] = []  # the contents of each conversation
    for conversations in tasks:
        free = list(range(len(talks)))  # the conversations without a turn of this task
        for exchanges in conversations:
            contents = {words.get(item, item) for exchange in exchanges for item in exchange.items}
            asks = any(exchanges[0].request)
            free_talk = next((talk for talk in free if asks and not contents & used[talk]), None)
            if free_talk is None:
                talks.append(list(exchanges))
                used.append(contents)
            else:
                free.remove(free_talk)
                talks[free_talk] += exchanges
                used[free_talk] |= contents
    return talks
