"""The wordings of `recap` where a request carries a region as numbers, beside the whole picture.

A region is named as models with region tokens take it. As with crops, its class may be named or
not.
"""

from prompts.wordings import WordingSet

GIVEN = WordingSet(
    "recap_given",
    ("<region>", "<class>"),
    (
        "Describe <region> in detail, a <class>: its color, its shape and its material.",
        "Look at <region>. Give a thorough description of this <class>.",
        "The object of <region> is a <class>. Report its color, size, texture and anything peculiar about it.",
        "What does <region>, the <class>, look like? Be specific.",
        "Find <region>, and write several sentences on the looks and the state of the <class> there.",
        "Concentrate on the <class> in <region>, and describe its appearance, its parts and its pose or placement.",
        "Portray the <class> in <region> as exactly as you can.",
        "Which colors, forms and materials make up <region>, the <class>?",
        "Tell me all that can be seen of the <class> in <region>.",
        "Go into the details of <region>. It is a <class>.",
        "Examine <region>, and write one paragraph on what makes this <class> distinctive.",
    ),
)

GIVEN_WITHOUT_CLASS = WordingSet(
    "recap_given_without_class",
    ("<region>",),
    (
        "Describe <region> in detail: its color, its shape and its material.",
        "Look at <region>. Give a thorough description of the object there.",
        "Report the color, size and texture of <region>, and anything peculiar about it.",
        "What does <region> look like? Be specific.",
        "Find <region>, and write several sentences on the looks and the state of what is there.",
        "Concentrate on the object in <region>, and describe its appearance, its parts and its pose or placement.",
        "Portray the object in <region> as exactly as you can.",
        "Which colors, forms and materials make up <region>?",
        "Tell me all that can be seen of the object in <region>.",
        "Go into the details of <region>.",
        "Examine <region>, and write one paragraph on what makes it distinctive.",
    ),
)

GIVEN_SETS = (GIVEN, GIVEN_WITHOUT_CLASS)

# The name of the region of a request. A region model's server puts its token there.
NAME = "region1"
