"""Merging an image's conversations of several tasks into conversations of many turns.

RegionGPT trains on one conversation per image that goes through all its tasks (supplement, A.2).
Nothing may be said twice in it: a phrase that was a region's caption would give away the answer
where the same phrase is to be matched with a region, so such tasks go into separate conversations.
"""

from collections.abc import Iterable, Sequence

from prompts.dialogue import Exchange
from schemas.item import Expression, Item


def merged(
    tasks: Iterable[Sequence[list[Exchange]]], items: Iterable[Item] = ()
) -> list[list[Exchange]]:
    """Return the conversations of all tasks, as few as can hold them.

    Args:
        tasks: for each task its conversations, in order; every one stays whole, and two of one
            task stay apart. One that begins without a request comes first.
        items: that exchanges were made from. Expressions that read the same, upper case aside,
            count as one, whichever regions they are about.
    """
    words = {item.id: item.text.casefold() for item in items if isinstance(item, Expression)}
    talks: list[list[Exchange]] = []
    used: list[set[str]] = []  # by each: what it says
    for conversations in tasks:
        free = list(range(len(talks)))  # those that this task has no turn in yet
        for exchanges in conversations:
            said = {words.get(item, item) for exchange in exchanges for item in exchange.items}
            asks = any(exchanges[0].request)
            place = next((at for at in free if asks and not said & used[at]), None)
            if place is None:
                talks.append(list(exchanges))
                used.append(said)
            else:
                free.remove(place)
                talks[place] += exchanges
                used[place] |= said
    return talks
