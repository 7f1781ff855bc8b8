"""Merging tasks: no turn is lost, repeated or out of order, and nothing is said twice in a talk."""

from collections import Counter
from itertools import chain, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prompts.dialogue import Exchange, RegionDefinition, RegionName
from prompts.merging import merged
from schemas.item import Expression
from schemas.sample import Region, Task

CHOICE = Task.REFERRING_EXPRESSION_COMPREHENSION
TASKS = sorted(  # in the order of their turns in a conversation
    Task, key=lambda task: (task != CHOICE, task == Task.REGION_DETAILED_CAPTION)
)
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
def test_the_turns_of_a_conversation_stay_in_order_and_whole_where_nothing_forbids_it(drawing):
    tasks = turns(drawing)
    talks = prompts(merged(tasks))
    for conversation in chain.from_iterable(map(prompts, tasks)):
        parts = [[prompt for prompt in talk if prompt in conversation] for talk in talks]
        for part in parts:
            assert part == [prompt for prompt in conversation if prompt in part]
    apart = [[[each.prompt for each in talk] for talk in talks] for talks in tasks]
    free: list[list[list[set[int]]]] = [
        [[set() for _ in talk] for talk in talks] for talks in drawing
    ]
    whole = prompts(merged(turns(free)))
    for conversation in chain.from_iterable(apart):
        (talk,) = [talk for talk in whole if conversation[0] in talk]
        start = talk.index(conversation[0])
        assert talk[start : start + len(conversation)] == conversation


@given(ITEMS, st.permutations(TASKS))
def test_choices_come_first_and_detailed_captions_last_in_any_order_of_tasks(drawing, order):
    tasks = dict(zip(TASKS, turns(drawing), strict=False))
    for talk in merged([tasks[task] for task in order if task in tasks]):
        ranks = [
            (each.task != CHOICE) + (each.task == Task.REGION_DETAILED_CAPTION) for each in talk
        ]
        assert ranks == sorted(ranks)


@given(ITEMS)
def test_tasks_come_in_their_order_and_two_of_one_never_share(drawing):
    for talk in merged(turns(drawing)):
        order = [TASKS.index(each.task) for each in talk]
        assert order == sorted(order)
        for before, after in pairwise(talk):
            if before.task is after.task:
                (number, turn), (other, next_turn) = place_of(before), place_of(after)
                assert other == number
                assert next_turn > turn


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


CLASSES, CAPTIONS = Task.REGION_CLASSIFICATION, Task.REGION_CAPTION
NAMES = "abc"


def about(task: Task, name: str, *items: str) -> Exchange:
    """A turn about a region."""
    region = Region(name, (0, 0, 1, 1))
    return Exchange(task=task, request=("?", region), answer="!", prompt=name, items=items)


def choice(name: str, *items: str, alone: bool = False) -> Exchange:
    """A choice among all regions, which keeps one apart."""
    regions = [Region(each, (0, 0, 1, 1)) for each in NAMES]
    return Exchange(
        task=CHOICE,
        request=tuple(map(RegionDefinition, regions)),
        answer=(RegionName(regions[NAMES.index(name)]),),
        prompt=f"choose {name}",
        items=items,
        apart=(name,),
        alone=alone,
    )


def test_classes_and_captions_share_and_phrases_do_not():
    classes = [about(CLASSES, "a"), about(CLASSES, "b")]
    captions = [about(CAPTIONS, "a", "1"), about(CAPTIONS, "b", "2")]
    relations = [about(Task.REGION_RELATIONSHIP, "b", "2")]
    more = [about(Task.REGION_RELATIONSHIP, "c", "3")]
    assert merged([[classes], [captions], [relations, more]]) == [
        classes + captions + more,
        relations,
    ]


def test_a_region_that_is_asked_for_is_described_in_another_conversation():
    captions = [about(CAPTIONS, name, name) for name in NAMES]
    a, b, c = captions
    assert merged([[captions], [[choice("a")], [choice("c")]]]) == [
        [choice("a"), b, c],
        [choice("c"), a],
    ]
    assert merged([[captions], [[choice("a")]]]) == [[choice("a"), b, c], [a]]
    again = [about(CAPTIONS, name, name * 2) for name in NAMES]
    assert merged([[captions, again], [[choice("a")], [choice("c")], [choice("b")]]]) == [
        [choice("a"), b, c],
        [choice("c"), a],
        [choice("b"), again[0], again[2]],
        [again[1]],
    ]


def test_a_conversation_of_its_own_is_not_merged():
    captions = [about(CAPTIONS, name, name) for name in NAMES]
    alone = choice("b", alone=True)
    assert merged([[captions], [[alone]]]) == [[alone], captions]
    detailed = [
        Exchange(
            task=Task.REGION_DETAILED_CAPTION, request=("?",), answer="!", prompt="", alone=True
        )
    ]
    assert merged([[detailed], [captions]]) == [captions, detailed]


def test_a_turn_that_follows_another_one_stays_with_it():
    first, second, third = (about(CAPTIONS, name, name) for name in NAMES)
    follower = Exchange(
        task=CAPTIONS, request=("And?",), answer="!", prompt="", follows=True, items=("c2",)
    )
    blocks = [first, follower, second, third]
    assert merged([[blocks], [[choice("a")], [choice("b", "c2")]]]) == [
        [choice("a"), second, third],
        [choice("b", "c2")],
        [first, follower],
    ]


@pytest.mark.parametrize("request_", [(), ("",)])
def test_an_image_without_words_comes_first(request_):
    classes = [exchange(CLASSES, "class")]
    shown = [Exchange(task=Task.IMAGE_CAPTION, request=request_, answer="A dog.", prompt="owner")]
    assert merged([[classes], [shown]]) == [classes, shown]
    assert merged([[shown], [classes]]) == [shown + classes]


@pytest.mark.parametrize("tasks", [[], [[]], [[], []]])
def test_nothing_is_made_of_nothing(tasks):
    assert merged(tasks) == []


def test_the_same_words_of_two_regions_do_not_share_either():
    items = (
        Expression("7/1", "a", "red car"),
        Expression("8/2", "b", "Red car"),
        Expression("9/3", "c", "bus"),
    )
    caption, other = [about(CAPTIONS, "a", "7/1")], [about(CAPTIONS, "c", "9/3")]
    chosen = [choice("b", "8/2")]
    assert merged([[caption], [chosen]]) == [chosen + caption]
    assert merged([[caption], [chosen]], items) == [chosen, caption]
    assert merged([[other], [chosen]], items) == [chosen + other]
