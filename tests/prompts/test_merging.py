"""Merging tasks: no turn is lost, repeated or out of order, and nothing is said twice in a talk."""

from collections import Counter
from itertools import chain, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prompts.dialogue import Exchange
from prompts.merging import merged
from schemas.item import Expression
from schemas.sample import Task

TASKS = list(Task)
Talks = list[list[Exchange]]

# For each task, for each of its conversations, for each turn: the items it was made from. Items
# may be few, so that tasks want the same, but a task makes one turn of an item.
ITEMS = st.lists(
    st.lists(st.lists(st.sets(st.integers(0, 7), max_size=2), min_size=1, max_size=4), max_size=4),
    max_size=len(TASKS),
)


def turns(drawing: list[list[list[set[int]]]]) -> list[Talks]:
    """The conversations of each task; every exchange has a prompt of its own."""
    tasks = []
    for task, conversations in zip(TASKS, drawing, strict=False):
        left = set(range(8))
        talks = []
        for at, talk in enumerate(conversations):
            exchanges = []
            for turn, wanted in enumerate(talk):
                items = wanted & left
                left -= items
                exchanges.append(exchange(task, f"{at}.{turn}", *map(str, sorted(items))))
            talks.append(exchanges)
        tasks.append(talks)
    return tasks


def exchange(task: Task, prompt: str, *items: str) -> Exchange:
    return Exchange(
        task=task, request=("What?",), answer="That.", prompt=f"{task} {prompt}", items=items
    )


def prompts(talks: Talks) -> list[list[str]]:
    return [[each.prompt for each in talk] for talk in talks]


def place_of(each: Exchange) -> tuple[int, int]:
    """Of which conversation of its task an exchange is, and which turn of that."""
    conversation, turn = each.prompt.split()[1].split(".")
    return int(conversation), int(turn)


@given(ITEMS)
def test_every_turn_is_kept_once(drawing):
    tasks = turns(drawing)
    counts = Counter(chain.from_iterable(prompts(merged(tasks))))
    assert counts == Counter(chain.from_iterable(chain.from_iterable(map(prompts, tasks))))
    assert all(merged(tasks))


@given(ITEMS)
def test_a_conversation_stays_whole_and_in_order(drawing):
    tasks = turns(drawing)
    talks = prompts(merged(tasks))
    for conversation in chain.from_iterable(map(prompts, tasks)):
        (talk,) = [talk for talk in talks if conversation[0] in talk]
        start = talk.index(conversation[0])
        assert talk[start : start + len(conversation)] == conversation


@given(ITEMS)
def test_tasks_come_in_their_order_and_two_of_one_never_share(drawing):
    for talk in merged(turns(drawing)):
        order = [TASKS.index(each.task) for each in talk]
        assert order == sorted(order)
        for before, after in pairwise(talk):
            if before.task is after.task:
                (number, turn), (other, next_turn) = place_of(before), place_of(after)
                assert (other, next_turn) == (number, turn + 1)


@given(ITEMS)
def test_no_item_is_used_twice_in_a_conversation(drawing):
    for talk in merged(turns(drawing)):
        used = Counter(item for each in talk for item in each.items)
        assert max(used.values(), default=1) == 1


@given(ITEMS)
def test_it_takes_no_more_conversations_than_it_must(drawing):
    tasks = turns(drawing)
    least = max(map(len, tasks), default=0)
    assert least <= len(merged(tasks)) <= sum(map(len, tasks))
    apart = [
        [[exchange(each.task, str(at)) for at, each in enumerate(talk)] for talk in talks]
        for talks in tasks
    ]
    assert len(merged(apart)) == least  # where no task wants what another wants


@given(ITEMS)
def test_the_same_again_is_the_same_and_nothing_given_changes(drawing):
    tasks, again = turns(drawing), turns(drawing)
    first = merged(tasks)
    assert tasks == again
    assert merged(again) == first
    assert merged(map(tuple, tasks)) == first


def test_classes_and_captions_share_and_phrases_do_not():
    classes = [exchange(TASKS[0], "class a"), exchange(TASKS[0], "class b")]
    captions = [exchange(TASKS[1], "told a", "a"), exchange(TASKS[1], "told b", "b")]
    chosen = [exchange(TASKS[2], "chosen b", "b")]
    more = [exchange(TASKS[2], "chosen c", "c")]
    assert merged([[classes], [captions], [chosen, more]]) == [
        classes + captions + more,
        chosen,
    ]


@pytest.mark.parametrize("request_", [(), ("",)])
def test_an_image_without_words_comes_first(request_):
    classes = [exchange(TASKS[0], "class")]
    shown = [Exchange(task=TASKS[1], request=request_, answer="A dog.", prompt="owner")]
    assert merged([[classes], [shown]]) == [classes, shown]
    assert merged([[shown], [classes]]) == [shown + classes]


@pytest.mark.parametrize("tasks", [[], [[]], [[], []]])
def test_nothing_is_made_of_nothing(tasks):
    assert merged(tasks) == []


def test_the_same_words_of_two_regions_do_not_share_either():
    def turn(item: str) -> Exchange:
        return Exchange(
            task=Task.REGION_CAPTION, request=("?",), answer="a", prompt="p", items=(item,)
        )

    items = (
        Expression("7/1", "1", "red car"),
        Expression("8/2", "2", "Red car"),
        Expression("9/3", "3", "bus"),
    )
    caption, choice, other = [turn("7/1")], [turn("8/2")], [turn("9/3")]
    assert merged([[caption], [choice]]) == [caption + choice]
    assert merged([[caption], [choice]], items) == [caption, choice]
    assert merged([[caption], [other]], items) == [caption + other]
