"""The rules of a record that can be checked without its image.

A row is what `RecordBatch.to_pylist` makes of `schemas.shard.SCHEMA`. Each rule yields lines that
name the value and the expected value.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any

from schemas.check_evaluation import evaluation_problems
from schemas.check_labels import label_problems
from schemas.check_masks import mask_problems
from schemas.check_texts import text_problems
from schemas.choice import NO_OPTION, chosen_number
from schemas.geometry import Box
from schemas.limits import MAX_GROUP
from schemas.mask_reach import stray_masks
from schemas.rejection import Rejected
from schemas.sample import IMAGE_TOKEN, MULTI_TASK, Task
from schemas.text import shown_name

Row = Mapping[str, Any]

_REGION_TOKEN = re.compile(r"<region([^<>]*)>")
_CANDIDATE = re.compile(r"\[([0-9]+)\] <region\1>")
_IMAGE_HASH = re.compile("xxh128:[0-9a-f]{32}")
_REQUIRED = (
    "id", "source", "split", "task", "turn_tasks", "regions", "messages", "evaluation", "licence",
    "provenance",
)  # fmt: skip


def check_record(row: Row, *, owners_masks: bool = True) -> list[str]:
    """Return the problems of a record, a line each.

    Args:
        row: the record.
        owners_masks: whether masks are as annotated, neither dilated nor eroded.
    """
    if nulls := list(_nulls(row)):
        return [f"{name} is null, expected a value" for name in nulls]
    problems = [
        *_identity(row),
        *_frame(row),
        *_hash(row),
        *_regions(row, owners_masks),
        *label_problems(row),
    ]
    if misled := list(_turns(row)):
        return problems + misled
    mentions = [_REGION_TOKEN.findall(message["content"]) for message in row["messages"]]
    problems += _image_tokens(row)
    if misled := list(_region_tokens(mentions, len(row["regions"]))):
        return problems + misled
    problems += [*_classification(row, mentions), *_choices(row), *_hints(row, mentions)]
    return [*problems, *text_problems(row), *evaluation_problems(row)]


def _nulls(row: Row) -> Iterator[str]:
    missing = [name for name in _REQUIRED if row[name] is None]
    yield from missing
    if missing:
        return
    if None in row["turn_tasks"]:
        yield "a turn task"
    if any(message is None or None in message.values() for message in row["messages"]):
        yield "a message, or its role or content,"
    if any(region is None or _lacks(region) for region in row["regions"]):
        yield "a region, or its id, box or mask's content,"
    if row["provenance"]["prompts"] is None:
        yield "provenance.prompts"


def _lacks(region: Row) -> bool:
    bbox, mask = region["bbox"], region["mask"]
    if region["region_id"] is None or bbox is None or None in bbox:
        return True
    return mask is not None and (mask["counts"] is None or None in (mask["size"] or [None]))


def _identity(row: Row) -> Iterator[str]:
    prefix = f"{row['source']}/{row['split']}/"
    if not row["id"].startswith(prefix):
        yield f"id is {row['id']!r}, expected it to begin with {prefix!r}"
    if not row["licence"].strip():
        yield "licence is empty, expected the owner's terms"


def _frame(row: Row) -> Iterator[str]:
    width, height = row["width"], row["height"]
    if row["image"] is None:
        if (width, height) != (None, None):
            yield f"size is {width} x {height} without an image, expected null"
        if row["regions"]:
            yield f"{len(row['regions'])} regions without an image, expected none"
    elif min(width or 0, height or 0) < 1:
        yield f"size of the image is {width} x {height}, expected pixels"


def _hash(row: Row) -> Iterator[str]:
    stated = row["image_hash"]
    if stated is None:
        return
    if row["image"] is None:
        yield f"image_hash is {stated!r} without an image, expected null"
    elif not _IMAGE_HASH.fullmatch(stated):
        yield f"image_hash is {stated!r}, expected xxh128: and 32 hexadecimal digits"


def _regions(row: Row, owners_masks: bool) -> Iterator[str]:
    regions, width, height = row["regions"], row["width"], row["height"]
    for region_id in _repeated([region["region_id"] for region in regions]):
        yield f"two regions have the id {region_id!r}, expected each once"
    if width is None or height is None:
        return
    outside = list(_boxes(regions, width, height))
    yield from outside
    masked: list[tuple[int, str, Box]] = []
    for number, region in enumerate(regions, start=1):
        if (mask := region["mask"]) is None:
            continue
        if mask["size"] == [height, width]:
            masked.append((number, mask["counts"], region["bbox"]))
        else:
            yield f"region {number}: mask size is {mask['size']}, expected {[height, width]}"
    counts, boxes = [counts for _, counts, _ in masked], [box for *_, box in masked]
    problems = list(mask_problems(counts, width * height))
    if not problems and not outside:
        problems = list(stray_masks(counts, boxes, (height, width), beyond=owners_masks))
    for position, problem in problems:
        yield f"region {masked[position][0]}: mask: {problem}"


def _boxes(regions: Sequence[Row], width: int, height: int) -> Iterator[str]:
    for number, region in enumerate(regions, start=1):
        x0, y0, x1, y1 = region["bbox"]
        if not (0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height):
            yield (
                f"region {number}: box is ({x0:g}, {y0:g}, {x1:g}, {y1:g}), "
                f"expected 0 <= x0 < x1 <= {width} and 0 <= y0 < y1 <= {height}"
            )


def _turns(row: Row) -> Iterator[str]:
    roles, tasks = [message["role"] for message in row["messages"]], row["turn_tasks"]
    spoken = roles[_first_user(row) :]
    turns = len(spoken) // 2
    if not turns or spoken != ["user", "assistant"] * turns:
        yield f"roles are {roles}, expected user and assistant in turn after at most one system"
        return
    if len(tasks) != turns:
        yield f"{len(tasks)} turn tasks, expected one for each of {turns} assistant turns"
        return
    if unknown := [task for task in tasks if task not in _TASKS]:
        yield f"turn task is {unknown[0]!r}, expected one of {', '.join(Task)}"
    expected = tasks[0] if len(set(tasks)) == 1 else MULTI_TASK
    if row["task"] != expected:
        yield f"task is {row['task']!r}, expected {expected!r}"
    if (prompts := len(row["provenance"]["prompts"])) != turns:
        yield f"{prompts} prompts in provenance, expected one for each of {turns} user turns"


def _image_tokens(row: Row) -> Iterator[str]:
    counts = [message["content"].count(IMAGE_TOKEN) for message in row["messages"]]
    expected = [0] * len(counts)
    if row["image"] is not None:
        expected[_first_user(row)] = 1
    if counts != expected:
        yield f"{IMAGE_TOKEN} stands {counts} times in the messages, expected {expected}"


def _region_tokens(mentions: Sequence[list[str]], regions: int) -> Iterator[str]:
    mentioned, known = set(chain.from_iterable(mentions)), _numbers(regions)
    for name in sorted(mentioned - known):
        yield f"<region{name}> is mentioned, expected numbers from 1 to {regions}"
    for name in sorted(known - mentioned, key=int):
        yield f"<region{name}> is not mentioned, expected every region to be"


def _classification(row: Row, mentions: Sequence[list[str]]) -> Iterator[str]:
    first = _first_user(row)
    if first and mentions[0]:
        yield f"the system message holds <region{mentions[0][0]}>, expected no region"
    asked: list[str] = []
    for turn, task in enumerate(row["turn_tasks"], start=1):
        if task != Task.REGION_CLASSIFICATION:
            continue
        answer = first + 2 * turn - 1  # the position of the answer among the messages
        if mentions[answer]:
            yield f"turn {turn}: the answer holds <region{mentions[answer][0]}>, expected no region"
        asked += mentions[answer - 1]
        categories = [row["regions"][int(name) - 1]["category"] for name in mentions[answer - 1]]
        yield from _wrong_answer(turn, row["messages"][answer]["content"], categories)
    for name in _repeated(asked):
        yield f"<region{name}> is asked about more than once, expected each region once"


def _wrong_answer(turn: int, answer: str, categories: Sequence[str | None]) -> Iterator[str]:
    if not categories:
        yield f"turn {turn}: no region is asked about, expected one at least"
        return
    try:
        names = [shown_name(category or "") for category in categories]
    except Rejected as cause:
        yield f"turn {turn}: a region has no usable category: {cause.detail}"
        return
    if answer != (expected := ", ".join(names)):
        yield f"turn {turn}: the answer is {answer!r}, expected {expected!r}"
    if len(names) > MAX_GROUP:
        yield f"turn {turn}: {len(names)} regions are asked about, expected {MAX_GROUP} at most"
    if len(names) > 1 and (parted := [name for name in names if "," in name]):
        yield (
            f"turn {turn}: the answer holds several names and {parted[0]!r}, expected a name with "
            "a comma alone"
        )


def _choices(row: Row) -> Iterator[str]:
    if Task.REFERRING_EXPRESSION_COMPREHENSION not in row["turn_tasks"]:
        return
    listed: set[str] = set()
    start = _first_user(row)
    for turn, task in enumerate(row["turn_tasks"], start=1):
        request, answer = (message["content"] for message in row["messages"][start : start + 2])
        start += 2
        listed.update(_CANDIDATE.findall(request))
        if task != Task.REFERRING_EXPRESSION_COMPREHENSION:
            continue
        if not listed:
            yield f"turn {turn}: no candidate is listed, expected one at least, as '[1] <region1>'"
        elif answer != NO_OPTION and chosen_number(answer) not in listed:
            yield (
                f"turn {turn}: the answer is {answer!r}, expected 'Region [k].' with the number "
                f"of a listed candidate, or {NO_OPTION!r}"
            )


def _hints(row: Row, mentions: Sequence[list[str]]) -> Iterator[str]:
    """Yield turns of other tasks that give the answer of a choice away."""
    if row["task"] != MULTI_TASK:
        return
    start = _first_user(row)
    described: dict[str, int] = {}  # the first turn of another task that is about a region
    chosen: set[str] = set()
    for turn, task in enumerate(row["turn_tasks"], start=1):
        request = start + 2 * turn - 2
        if task != Task.REFERRING_EXPRESSION_COMPREHENSION:
            for name in mentions[request] + mentions[request + 1]:
                described.setdefault(name, turn)
            continue
        if described:
            yield f"turn {turn}: it is a choice below turns about regions, expected it above them"
        if number := chosen_number(row["messages"][request + 1]["content"]):
            chosen.add(number)
    for name in sorted(described.keys() & chosen, key=int):
        yield (
            f"turn {described[name]}: it is about <region{name}>, which is chosen in this "
            "conversation, expected it in another one"
        )


def _first_user(row: Row) -> int:
    """Return the index of the first user turn, or None if the roles are in a wrong order."""
    return int(bool(row["messages"]) and row["messages"][0]["role"] == "system")


def _repeated(values: Sequence[str]) -> list[str]:
    if len(set(values)) == len(values):
        return []
    return [value for value, count in Counter(values).items() if count > 1]


@lru_cache
def _numbers(regions: int) -> frozenset[str]:
    return frozenset(map(str, range(1, regions + 1)))


_TASKS = frozenset(Task)
