"""The scripted captioner and the scripted judge of the simulation; neither sees a picture."""

from collections import ChainMap
from collections.abc import Mapping, Sequence

from bench.caption_filters.mistakes import Caption
from pipelines.recap.captioning.captioner import Answer, Request
from schemas.ids import rank
from transforms.sentences import sentences

WRONG_ANSWERS = 10  # percent of the judge's answers, by hash


Samples = Mapping[str, Sequence[Caption]]  # captions of regions, by region id


class ScriptedCaptioner:
    """Answers each request about a region with its caption, whatever the attempt."""

    def __init__(self, captions: Samples) -> None:
        self._captions = captions

    async def ask(self, request: Request) -> Answer:
        """Return the caption of the request's region and sample."""
        region, *rest = request.id.split("/")[4:]
        sample = int(rest[1]) if rest[0] == "sample" else 0
        return Answer(self._captions[region][sample].text)

    async def close(self) -> None:
        """Do nothing."""


class ScriptedJudge:
    """Says whether all of a text is true, and the opposite in a share of all cases by hash."""

    def __init__(self, captions: Samples) -> None:
        self._truth = {
            region: ChainMap(*(dict(each.sentences) for each in samples))
            for region, samples in captions.items()
        }

    async def ask(self, request: Request) -> Answer:
        """Return yes or no to the text in a question."""
        region = request.id.split("/")[4]
        text = request.prompt.partition("about it:\n\n")[2].partition("\n\nIs every")[0]
        truth = self._truth[region]
        says = all(truth[sentence] for sentence in sentences(text))
        if rank("judge", region, text) % 100 < WRONG_ANSWERS:
            says = not says
        return Answer("Yes" if says else "No", yes=0.9 if says else 0.1)

    async def close(self) -> None:
        """Do nothing."""
