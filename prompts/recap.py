"""RecapD's prompts: the global prompt about an image, and a prompt about each region's close-up.

As in RegionGPT, section 3.3, the prompt about a region begins with the caption of the whole
picture and names the annotated class; either may be left out, hence four sets. Every
set has ten wordings or more, one of which is chosen by rank. All prompts end alike, with `ENDING`,
which asks for what the checks of captions let pass (`transforms.caption_checks`).
"""

import re
from collections.abc import Mapping

from prompts.wordings import WordingSet
from schemas.limits import MAX_TURN_CHARACTERS
from schemas.rejection import Rejected
from schemas.text import clean

GLOBAL = WordingSet(
    "recap_global",
    (),
    (
        "Describe this picture as a whole, in detail.",
        "Write a full account of what can be seen in this photograph.",
        "What does this picture show? Cover the setting, the objects and how they are arranged.",
        "Look the whole image over and report all that matters in it, in a few sentences.",
        "Put the scene into words for somebody who cannot see it.",
        "Go through this picture thoroughly: what is there, where is it, and what is going on?",
        "Give a careful and complete caption of the entire image.",
        "Tell me about this scene, its main objects and the place in which they are found.",
        "Compose one detailed paragraph on the contents of the picture.",
        "Explain what is depicted here, from the foreground to the background.",
        "Survey the image and set down what it contains, with colors, actions and surroundings.",
        "Which things, people or animals appear here, and in what surroundings? Answer at length.",
    ),
)

REGION = WordingSet(
    "recap_region",
    ("<global>", "<class>"),
    (
        "This is what the complete picture shows: <global> You are now looking at a close-up taken from it. Describe the <class> in the close-up in detail, with its color, shape and material.",
        "The full scene reads as follows: <global> One part of it was cut out for you. Give a thorough description of the <class> you find there.",
        "Background, taken from the entire picture: <global> With that in mind, study the <class> in this crop and report its color, size, texture and anything peculiar about it.",
        "Somebody described the whole photograph like this: <global> Here you see only a detail. What does the <class> in it look like? Be specific.",
        "Keep the overall scene in mind: <global> The crop at hand holds the <class>. Write several sentences on its looks and its state.",
        "Seen as a whole, the picture is this: <global> Now concentrate on the <class> shown here from nearby, and describe its appearance, its parts and its pose or placement.",
        "As context, a summary of the image from which this crop comes: <global> Portray the <class> in the crop as exactly as you can.",
        "First the larger picture: <global> Then the detail: which colors, forms and materials make up the <class> in this close-up?",
        "The crop belongs to a larger image, summed up here: <global> Tell me all that can be seen of the <class>, leaving out what the crop does not show.",
        "Begin with the scene as a whole: <global> Then characterize the <class> in the section you are shown: its color, its style, its condition and what surrounds it.",
        "For orientation, the entire image in words: <global> What you get is one piece of it. Go into the details of the <class> in that piece.",
        "Around the piece you see, the picture is as told here: <global> Examine the <class> and write one paragraph on what makes it distinctive.",
    ),
)

REGION_WITHOUT_CLASS = WordingSet(
    "recap_region_without_class",
    ("<global>",),
    (
        "This is what the complete picture shows: <global> You are now looking at a close-up taken from it. Describe the close-up in detail, with colors, shapes and materials.",
        "The full scene reads as follows: <global> One part of it was cut out for you. Give a thorough description of that part.",
        "Background, taken from the entire picture: <global> With that in mind, study this crop and report the color, size and texture of what it holds.",
        "Somebody described the whole photograph like this: <global> Here you see only a detail. What does it look like? Be specific.",
        "Keep the overall scene in mind: <global> Write several sentences on the looks and the state of what the crop at hand holds.",
        "Seen as a whole, the picture is this: <global> Now concentrate on what is shown here from nearby, and describe its appearance, its parts and its pose or placement.",
        "As context, a summary of the image from which this crop comes: <global> Portray the content of the crop as exactly as you can.",
        "First the larger picture: <global> Then the detail: which colors, forms and materials can be made out in this close-up?",
        "The crop belongs to a larger image, summed up here: <global> Tell me all that can be seen in the crop, leaving out what it does not show.",
        "For orientation, the entire image in words: <global> What you get is one piece of it. Go into the details of that piece.",
        "Around the piece you see, the picture is as told here: <global> Examine the piece and write one paragraph on what makes it distinctive.",
    ),
)

REGION_WITHOUT_GLOBAL = WordingSet(
    "recap_region_without_global",
    ("<class>",),
    (
        "Describe the <class> in this close-up in detail, with its color, shape and material.",
        "One part of a picture was cut out for you. Give a thorough description of the <class> in it.",
        "Study the <class> in this crop and report its color, size, texture and anything peculiar about it.",
        "What does the <class> in this detail look like? Be specific.",
        "The crop at hand holds the <class>. Write several sentences on its looks and its state.",
        "Concentrate on the <class> shown from nearby, and describe its appearance, its parts and its pose or placement.",
        "Portray the <class> in the crop as exactly as you can.",
        "Which colors, forms and materials make up the <class> in this close-up?",
        "Tell me all that can be seen of the <class>, leaving out what the crop does not show.",
        "Go into the details of the <class> in this piece of a picture.",
        "Examine the <class> and write one paragraph on what makes it distinctive.",
    ),
)

REGION_ALONE = WordingSet(
    "recap_region_alone",
    (),
    (
        "Describe this close-up in detail, with colors, shapes and materials.",
        "One part of a picture was cut out for you. Give a thorough description of it.",
        "Study this crop and report the color, size and texture of what it holds.",
        "What does the thing in this detail look like? Be specific.",
        "Write several sentences on the looks and the state of what the crop at hand holds.",
        "Concentrate on what is shown from nearby, and describe its appearance, its parts and its placement.",
        "Portray the content of the crop as exactly as you can.",
        "Which colors, forms and materials can be made out in this close-up?",
        "Tell me all that can be seen in the crop, leaving out what it does not show.",
        "Go into the details of this piece of a picture.",
        "Examine the piece you are shown and write one paragraph on what makes it distinctive.",
    ),
)

ENDING = WordingSet(
    "recap_ending",
    ("<subject>",),
    (
        "Answer in plain prose of 120 words at most, without headings, lists or an opening phrase. Write about <subject> itself, and never about a picture, a crop or this request. Leave out whatever you are not sure of.",
    ),
)

SETS = (GLOBAL, REGION, REGION_WITHOUT_CLASS, REGION_WITHOUT_GLOBAL, REGION_ALONE)

Prompt = tuple[str, str]  # text, id of its wording

_PLACEHOLDER = re.compile("<(global|class)>")
_ENDED = re.compile(r"[.!?\u2026][\"'\u201d\u2019)\]]*$")


def global_prompt(wordings: Mapping[str, WordingSet], position: int) -> Prompt:
    """Return the prompt about a whole image, and the id of its wording.

    Args:
        wordings: the sets of wordings in use, by name.
        position: the rank that chooses the wording.
    """
    wording, prompt = wordings[GLOBAL.name].choose(position)
    return f"{wording} {_ending(wordings, position, 'the scene')}", prompt


def region_prompt(
    wordings: Mapping[str, WordingSet],
    position: int,
    global_caption: str | None,
    class_name: str | None,
) -> Prompt:
    """Return the prompt about a close-up of a region, and the id of its wording.

    Args:
        wordings: the sets of wordings in use, by name.
        position: the rank that chooses the wording.
        global_caption: the caption of the whole image; None: the prompt has no such caption.
        class_name: the region's class in readable form; None: the prompt names no class.
    """
    texts = {}
    if global_caption is not None:
        texts["global"] = _sentence(global_caption)
    if class_name is not None:
        texts["class"] = clean(class_name)
    wording, prompt = wordings[_region_set(set(texts)).name].choose(position)
    # In one pass: no caption or name is taken for a placeholder. Clean as a whole, because a caption
    # and a name can make a tag together that neither holds alone.
    text = _PLACEHOLDER.sub(lambda match: texts[match[1]], wording)
    ending = _ending(wordings, position, "the object")
    return clean(f"{text} {ending}", MAX_TURN_CHARACTERS), prompt


def _ending(wordings: Mapping[str, WordingSet], position: int, subject: str) -> str:
    wording, _ = wordings[ENDING.name].choose(position)
    return wording.replace("<subject>", subject)


def _region_set(texts: set[str]) -> WordingSet:
    if "global" in texts:
        return REGION if "class" in texts else REGION_WITHOUT_CLASS
    return REGION_WITHOUT_GLOBAL if "class" in texts else REGION_ALONE


def _sentence(caption: str) -> str:
    """Return a caption on one line, disarmed and with a full stop, for a sentence to follow."""
    try:
        line = clean(caption)
    except Rejected as cause:
        raise ValueError(f"a caption that cannot stand in a prompt: {cause}") from cause
    return line if _ENDED.search(line) else f"{line.rstrip(' ,;:-')}."
