"""The wordings of `recap` where regions are marked in the whole picture, and of its later options.

A region is named by the number beside its outline. As with crops, its class may be named or not.
"""

from prompts.wordings import WordingSet

MARKED = WordingSet(
    "recap_marked",
    ("<mark>", "<class>"),
    (
        "Describe in detail the object marked <mark>, a <class>: its color, its shape and its material.",
        "Look at number <mark>. Give a thorough description of this <class>.",
        "Number <mark> is a <class>. Report its color, size, texture and anything peculiar about it.",
        "What does the object numbered <mark>, the <class>, look like? Be specific.",
        "Find mark <mark>, and write several sentences on the looks and the state of the <class> there.",
        "Concentrate on the <class> that has the number <mark>, and describe its appearance, its parts and its pose or placement.",
        "Portray the <class> at number <mark> as exactly as you can.",
        "Which colors, forms and materials make up object <mark>, the <class>?",
        "Tell me all that can be seen of the <class> with the mark <mark>.",
        "Go into the details of object number <mark>. It is a <class>.",
        "Examine the <class> marked by the number <mark>, and write one paragraph on what makes it distinctive.",
        "Characterize the <class> to which the number <mark> points: its color, its style, its condition and what it touches.",
    ),
)

MARKED_WITHOUT_CLASS = WordingSet(
    "recap_marked_without_class",
    ("<mark>",),
    (
        "Describe in detail the object marked <mark>: its color, its shape and its material.",
        "Look at number <mark>. Give a thorough description of the object there.",
        "Report the color, size and texture of object number <mark>, and anything peculiar about it.",
        "What does the object numbered <mark> look like? Be specific.",
        "Find mark <mark>, and write several sentences on the looks and the state of what it points to.",
        "Concentrate on the object that has the number <mark>, and describe its appearance, its parts and its pose or placement.",
        "Portray the object at number <mark> as exactly as you can.",
        "Which colors, forms and materials make up object <mark>?",
        "Tell me all that can be seen of the object with the mark <mark>.",
        "Go into the details of object number <mark>.",
        "Examine the object marked by the number <mark>, and write one paragraph on what makes it distinctive.",
    ),
)

MARKED_SETS = (MARKED, MARKED_WITHOUT_CLASS)

SCENE = WordingSet(
    "recap_scene",
    ("<global>",),
    ("<global> This is what the whole picture shows.",),
)

MARKS = WordingSet(
    "recap_marks",
    (),
    ("The outlines and numbers were drawn in to point at objects: do not mention them.",),
)

ALSO_MARKED = WordingSet(
    "recap_also_marked",
    ("<others>",),
    ("Also marked: <others>; do not describe them.",),
)

ALSO_THERE = WordingSet(
    "recap_also_there",
    ("<others>",),
    ("Also in the picture: <others>; do not describe them.",),
)

STRUCTURED = WordingSet(
    "recap_structured_ending",
    ("<subject>",),
    (
        'Answer with one JSON object and nothing else. It has four keys. "phrase": a noun phrase of 10 words at most. "sentence": one sentence. "paragraph": plain prose of 120 words at most, without headings or lists. "attributes": an object with the keys "colour", "material", "shape", "state" and "text", each a list of a few short values, which is empty where there is nothing to say; "text" has what is written on it, word for word. Write about <subject> itself, and never about a picture, a crop or this request. Leave out whatever you are not sure of.',
    ),
)

# The sets with a single wording each, beside `prompts.recap.ENDING`.
SINGLE = (SCENE, MARKS, ALSO_MARKED, ALSO_THERE, STRUCTURED)

# What stands before the pictures of a call.
WHOLE_NAME = "The whole picture, with numbers beside objects:"


def close_up_name(mark: int) -> str:
    """Return what stands before the close-up of a region with a number."""
    return f"A closer view of the object marked {mark}:"
