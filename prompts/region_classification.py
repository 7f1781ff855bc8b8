"""The task `region_classification`: the category of a region.

RegionGPT style: one of many wordings, and in the first such turn of a conversation a suffix
that names the set of names to answer from (RegionGPT, Table 1). A recipe may give the suffix to a
share of a source's conversations only, so that questions without it are answered as well.
GPT4RoI style, stage 1: the task
is defined once, then each user turn is a bare region (GPT4RoI, Table 2).
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache

from prompts.dialogue import Exchange, filled, listed
from prompts.instruction import Instruction, InstructionMode
from prompts.wordings import WordingSet
from schemas.ids import RANK_BITS
from schemas.limits import MAX_GROUP
from schemas.sample import LabelSet, Region, ScreenedImage, Task
from schemas.style import Style
from schemas.text import shown_name

ONE_REGION = WordingSet(
    "region_classification",
    ("<region>",),
    (
        "Which category does the object in <region> belong to?",
        "What kind of thing does <region> show?",
        "What is the class of the object inside <region>?",
        "Give the class of the object found in <region>.",
        "Look at <region> and say what category it falls under.",
        "How would an annotator label <region>?",
        "State the category name for <region>.",
        "What sort of object is in <region>?",
        "Pick the category that fits <region> best.",
        "Which class does the object marked by <region> belong to?",
        "Tell me the category of whatever is in <region>.",
        "Which label would you give <region>?",
        "Identify the object in <region> by its class.",
        "What type of object can be seen at <region>?",
        "Assign a category to the part of the picture covered by <region>.",
        "Identify the class of the object in <region>.",
        "If you had to give <region> a single label, what would it be?",
        "Say which category of object <region> contains.",
    ),
)

SEVERAL_REGIONS = WordingSet(
    "region_classification_several",
    ("<region>",),
    (
        "Which categories do the objects in <region> belong to, in the same order?",
        "Name the class of each of these regions, in order: <region>.",
        "Give one category for every region listed: <region>.",
        "Label each of the regions <region> in turn.",
        "What are the objects in <region>, in the order given?",
        "Go through <region> and state the category of each.",
        "For each of <region>, say what class of object it shows.",
        "List the category names of <region>, in order.",
        "Tell me, in order, what kind of thing is in each of <region>.",
        "Identify the objects in <region> by their classes, in order.",
        "Assign a category to each of <region>, following the order given.",
        "How would you label <region>, in the order in which they are listed?",
        "State what sort of object is found in each of <region>, in order.",
        "Which label would you give each of <region>, in order?",
        "Identify the class of each of <region>, from first to last.",
    ),
)

DETECTION_TASK = WordingSet(
    "detection_task",
    ("<categories>",),
    (
        "Each turn of this conversation marks one region of the picture; reply with nothing but "
        "the name of its category, one of <categories>.",
        "I am going to point at regions one at a time. For every one, answer only with the "
        "category of the object inside it, chosen from <categories>.",
        "Your task is to classify regions. You receive a single region per message and respond "
        "with a single name chosen from <categories>.",
        "What follows is a list of regions, one per turn. Judge each by what the picture shows "
        "there and return just its category. Use <categories>.",
    ),
)


def label_set_suffix(label_set: str) -> str:
    """Return the suffix of a prompt that names the set of category names to answer from."""
    return f"Answer the question using {label_set} category names."


@lru_cache(maxsize=64)
def category_listing(names: LabelSet) -> str:
    """Return a label set's category names as a list, or the set's name where it has too many."""
    if not names.categories:
        return f"the {names.name} category names"
    return f"these categories: {', '.join(map(shown_name, names.categories))}"


def dialogues(screened: ScreenedImage, instruction: Instruction) -> list[list[Exchange]]:
    """Return an image's conversations of this task, in order.

    Regions without a category get no question.
    """
    regions = [region for region in screened.regions if region.category is not None]
    if not regions:
        return []
    names = screened.label_set
    assert names is not None, "a source of categories names its label set"
    hasher = instruction.hasher(screened.image)
    # One rank orders the regions, the other rank chooses the wording of each.
    ranked = sorted(
        [
            (rank, region.region_id, position, region)
            for region in regions
            for rank, position in [hasher.ranks(region.region_id)]
        ]
    )
    ordered = [region for _, _, _, region in ranked]
    if instruction.style is Style.GPT4ROI:
        return [_detection(ordered, names, instruction, hasher.rank("task"))]
    positions = {region_id: position for _, region_id, position, _ in ranked}
    conversations = []
    for groups in spread(ordered, instruction.mode):
        rank = hasher.rank("suffix", groups[0][0].region_id)
        named = rank < instruction.suffix_shares.get(screened.image.source, 1) * 2**RANK_BITS
        suffix = label_set_suffix(names.name) if named else ""
        conversations.append(
            [
                _question(group, suffix, instruction, positions[group[0].region_id])
                for group in groups
            ]
        )
    return conversations


def spread(ordered: Sequence[Region], mode: InstructionMode) -> list[list[Sequence[Region]]]:
    """Return the regions of each turn of each conversation."""
    if mode is InstructionMode.ONE_TURN_ALL:
        return [[group] for group in _groups(ordered)]
    turns: list[Sequence[Region]] = [[region] for region in ordered]
    return [[turn] for turn in turns] if mode is InstructionMode.ONE_TURN_ONE else [turns]


def _groups(ordered: Sequence[Region]) -> Iterator[Sequence[Region]]:
    """Yield the regions that share an answer, and those that need an answer each."""
    shared = [region for region in ordered if not _stands_alone(region)]
    for start in range(0, len(shared), MAX_GROUP):
        yield shared[start : start + MAX_GROUP]
    yield from ([region] for region in ordered if _stands_alone(region))


def _question(
    regions: Sequence[Region], suffix: str, instruction: Instruction, position: int
) -> Exchange:
    wordings = instruction.wordings[(ONE_REGION if len(regions) == 1 else SEVERAL_REGIONS).name]
    wording, prompt = wordings.choose(position)
    return Exchange(
        task=Task.REGION_CLASSIFICATION,
        request=filled(wording, "<region>", listed(regions)),
        answer=", ".join([_answer(region) for region in regions]),
        prompt=prompt,
        suffix=suffix,
    )


def _detection(
    regions: Sequence[Region], names: LabelSet, instruction: Instruction, position: int
) -> list[Exchange]:
    wording, prompt = instruction.wordings[DETECTION_TASK.name].choose(position)
    definition = wording.replace("<categories>", category_listing(names))
    return [
        Exchange(
            task=Task.REGION_CLASSIFICATION,
            request=(region,),
            answer=_answer(region),
            prompt=prompt,
            prefix=definition,
        )
        for region in regions
    ]


def _stands_alone(region: Region) -> bool:
    """Return whether a name cannot be one of several: commas part them, brackets make tags of two."""
    return any(character in _answer(region) for character in ",<>")


def _answer(region: Region) -> str:
    assert region.category is not None, "only regions with a category are asked about"
    return shown_name(region.category)
