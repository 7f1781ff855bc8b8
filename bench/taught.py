"""Captions to train a captioner on: the built-in captioner's, beneath the requests of `recap`.

The rows are an output of `recap`. Half of their wordings are those of the task
`region_detailed_caption`; the others are the very texts that `recap --views region --no-class-name`
sends. These are ten times as long: a tiny language model learns what is asked from the short ones.
Of a caption, what a region alone shows is kept, neither its position in the picture nor other
objects, of which `recap` keeps no captions:

    The red star is in the lower left of the picture and takes up less than a tenth of it. It looks
    mainly red. It is about as wide as tall. It lies above the blue cross.
    ->  The red star looks mainly red. It is about as wide as tall.
"""

import re
from pathlib import Path

from msgspec.structs import replace

from pipelines.datasets.spec import SourceRequest
from pipelines.recap.captioning.builtin import BuiltinCaptioner
from pipelines.recap.captioning.captioner import Answer, Request
from pipelines.recap.flow import CaptionTools
from pipelines.recap.plan import make_recap_plan
from pipelines.recap.run import run_recap
from pipelines.recipes.recap import BUILTIN_MODEL, Captioning, Filter, RecapRecipe
from prompts.recap import ENDING
from prompts.recap_given import GIVEN_WITHOUT_CLASS
from prompts.region_detailed_caption import DETAILED
from schemas.manifest import Manifest

MIN_WORDS = 1  # of a caption
_SENTENCES = re.compile(r"(?<=\.) ")
_CONCURRENT_IMAGES = 8


class ObjectCaptioner(BuiltinCaptioner):
    """The built-in captioner, which speaks of the object alone."""

    async def ask(self, request: Request) -> Answer:
        """Return what the caption of a region says of the region's object."""
        answer = await super().ask(request)
        return replace(answer, text=about_the_object(answer.text))


def about_the_object(caption: str) -> str:
    """Return what a caption of the built-in captioner says of its object alone."""
    position, colour, form, *_ = _SENTENCES.split(caption)
    name = position.removeprefix("The ").partition(" is ")[0]
    return f"{colour} {form}".replace("It ", f"The {name} ", 1)


def requests() -> list[str]:
    """Return all texts that `recap` sends about regions without their class, with `<region>`."""
    ending = ENDING.wordings[0].replace("<subject>", "the object")
    return [f"{wording} {ending}" for wording in GIVEN_WITHOUT_CLASS.wordings]


def wordings() -> list[str]:
    """Return the wordings of the rows: those of outputs of `recap`, and as many requests."""
    sent = requests()
    return [*DETAILED.wordings[: len(sent)], *sent]


def write_taught(world: Path, output: Path, pictures: int) -> Manifest:
    """Caption V3Det's regions of a world, and write rows of requests and captions.

    Args:
        world: the folder of the world.
        output: of the rows; made.
        pictures: of each split, at most.
    """
    recipe = RecapRecipe(
        sources=(SourceRequest(name="v3det"),),
        limit=pictures,
        min_words=MIN_WORDS,
        wordings={DETAILED.name: wordings()},
        filter=Filter(),
        captioning=Captioning(model=BUILTIN_MODEL, global_caption=False, class_name=False),
    )
    tools = CaptionTools(
        captioner=ObjectCaptioner, scorer=None, concurrent_images=_CONCURRENT_IMAGES
    )
    return run_recap(recipe, make_recap_plan(recipe, str(world), str(output)), tools)
