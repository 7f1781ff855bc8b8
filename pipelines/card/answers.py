"""The card's section on the form of answers: the text of each task, its capital and its stop."""

from collections.abc import Collection, Mapping
from typing import NamedTuple

from schemas.choice import NO_OPTION
from schemas.sample import Task

_OWNERS = "as the owner wrote"


class _Form(NamedTuple):
    """The form of the answers of a task, which is the same in both styles."""

    text: str
    capital: str  # of the first letter
    stop: str  # at the end


_YES_OR_NO = _Form("`yes` or `no`", "no", "no")

_FORMS: Mapping[Task, _Form] = {
    Task.IMAGE_CAPTION: _Form("the owner's caption", _OWNERS, _OWNERS),
    Task.IMAGE_CONVERSATION: _Form("the owner's answer", _OWNERS, _OWNERS),
    Task.MULTI_REGION_CAPTION: _Form("the owner's sentence, or a phrase of it", _OWNERS, _OWNERS),
    Task.REGION_ATTRIBUTE: _Form(
        "words for an attribute, parted by `, `", "as written", "as written"
    ),
    Task.REGION_CAPTION: _Form(
        "a phrase or sentence, of the owner or a captioner", "as written", "as written"
    ),
    Task.REGION_CLASSIFICATION: _Form(
        "the category's name, `traffic light`; several are parted by `, `", _OWNERS, "no"
    ),
    Task.REGION_DETAILED_CAPTION: _Form("the captioner's sentences", "as written", "as written"),
    Task.REFERRING_EXPRESSION_COMPREHENSION: _Form(f"`Region [2].` or `{NO_OPTION}`", "yes", "yes"),
    Task.REGION_REASONING: _Form(
        "the owner's answer or reason", f"{_OWNERS}, and where a region begins it", _OWNERS
    ),
    Task.REGION_RELATIONSHIP: _Form("a sentence, `The man is riding the horse.`", "yes", "yes"),
    Task.REGION_YES_NO: _YES_OR_NO,
    Task.REGION_COUNT: _Form("a number in digits, `3`", "no", "no"),
    Task.MULTI_REGION_ANSWER: _Form(
        "each region with its category, `Region [1]: cup; Region [2]: dog`",
        "as regions are named",
        "no",
    ),
}


def answers_section(tasks: Collection[str], *, evaluation: bool) -> str:
    """Return the section, with a line for each task of a build."""
    lines = ["## Answers", "", "| task | answer | capital | stop |", "|---|---|---|---|"]
    for task, form in _FORMS.items():
        if task in tasks:
            yes_or_no = evaluation and task is Task.IMAGE_CONVERSATION
            cells = (task, *(_YES_OR_NO if yes_or_no else form))
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
