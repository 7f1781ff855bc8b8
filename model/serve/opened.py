"""A model that is ready to be asked, and talks with it.

model = regionforge.open_model("runs/a")
talk = model.talk("street.jpg", regions=[(12, 30, 200, 310)])
talk.ask("What is region1?")
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from model.batch import Example
from model.errors import InputError, naming
from model.picture import Picture, read_picture
from model.processor import RegionProcessor
from model.region_model import RegionModel
from model.regions import Region, RegionAs, read_region
from model.serve.answering import PendingAnswer, Settings, generate_answers
from model.serve.composition import Composed, Message, compose
from schemas.errors import RegionForgeError
from schemas.style import Style

MOST_REGIONS = 100  # of a talk
_USUAL = Settings()


@dataclass(frozen=True, kw_only=True)
class Prompt:
    """What a model is given: messages up to an answer, the picture, and the regions in them."""

    messages: list[Message]
    picture: Picture | None = None
    regions: Sequence[Region] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class OpenedModel:
    """A model in the mode for evaluation, with the attention "sdpa", and its processor."""

    model: RegionModel
    processor: RegionProcessor

    @property
    def style(self) -> Style:
        """The style of the conversations that such a model is trained on."""
        return Style.GPT4ROI if self.region_as == "box" else Style.REGIONGPT

    @property
    def region_as(self) -> RegionAs:
        """The form in which the model takes regions that have a box and a mask."""
        return "box" if self.processor.region_grid is None else "mask"

    def talk(
        self,
        picture: Picture | None,
        regions: Sequence[Region] = (),
        *,
        list_all: bool = False,
        max_new_tokens: int = _USUAL.max_new_tokens,
    ) -> "Talk":
        """Return a talk about a picture.

        Args:
            picture: in a form that `model.picture.read_picture` takes; None: about no picture.
            regions: in the forms of `model.regions`, in pixels of the upright picture.
            list_all: list all regions before the first question, as those of a detector.
            max_new_tokens: of an answer, at most.

        Raises:
            InputError: the picture or a region cannot be used.
        """
        settings = Settings(max_new_tokens=max_new_tokens)
        return Talk(self, picture, regions, list_all=list_all, settings=settings)

    def encode(self, prompt: Prompt) -> Example:
        """Return a prompt, to be joined with others by the processor's `collate`.

        Raises:
            RegionForgeError: it cannot be encoded; "the prompt: " begins the message.
        """
        regions = list(prompt.regions)
        return self.processor.encode_prompt(
            prompt.messages, prompt.picture, regions, self.region_as
        )

    def answer(
        self,
        prompt: Prompt,
        settings: Settings = _USUAL,
        on_text: Callable[[str], None] | None = None,
    ) -> str:
        """Return the answer to a prompt.

        Args:
            prompt: see there.
            settings: see there.
            on_text: takes each new part of the answer as it comes.

        Raises:
            RegionForgeError: the prompt cannot be encoded.
        """
        pending = PendingAnswer(self.processor, settings, on_text)
        inputs = self.processor.collate([self.encode(prompt)])
        generate_answers(self.model, self.processor, inputs, [pending])
        return pending.text


class Talk:
    """Several rounds about a picture, where each follows the model's answers before it.

    Attributes:
        messages: what was asked and answered so far, as the user and the model wrote it.
    """

    def __init__(
        self,
        model: OpenedModel,
        picture: Picture | None,
        regions: Sequence[Region],
        *,
        list_all: bool,
        settings: Settings,
    ) -> None:
        """Begin a talk; see `OpenedModel.talk`."""
        self.messages: list[Message] = []
        self._model = model
        self._picture = None if picture is None else read_picture(picture)
        self._regions = list(regions)
        self._list_all = list_all
        self._settings = settings
        check_regions(self._regions, None if self._picture is None else self._picture.size)

    def ask(self, question: str, on_text: Callable[[str], None] | None = None) -> str:
        """Return the model's answer, which later questions follow.

        A question that could not be answered is not part of the talk.

        Args:
            question: names regions as `region1`, `region2`, ... or by their token, `<region1>`.
            on_text: takes each new part of the answer as it comes.

        Raises:
            RegionForgeError: the question is empty, names a region that there is not, or the talk
                has become too long for the model.
        """
        if not question.strip():
            raise InputError("an empty question")
        asked = {"role": "user", "content": question.strip()}
        composed = compose(
            self._model.style,
            [*self.messages, asked],
            len(self._regions),
            picture=self._picture is not None,
            list_all=self._list_all,
        )
        prompt = prompt_of(composed, self._picture, self._regions)
        with _unnamed():
            answer = self._model.answer(prompt, self._settings, on_text)
        self.messages += [asked, {"role": "assistant", "content": answer}]
        return answer


@contextmanager
def _unnamed() -> Iterator[None]:
    """Leave the prompt's name out of an error about it: there is no other."""
    try:
        yield
    except RegionForgeError as error:
        raise InputError(str(error).removeprefix("the prompt: ")) from error


def prompt_of(composed: Composed, picture: Picture | None, regions: Sequence[Region]) -> Prompt:
    """Return the prompt of a talk: its messages, and those of its regions that they mention."""
    mentioned = [regions[number - 1] for number in composed.numbers]
    return Prompt(messages=composed.messages, picture=picture, regions=mentioned)


def check_regions(regions: Sequence[Region], size: tuple[int, int] | None) -> None:
    """Raise `InputError` for regions that a talk cannot be about.

    Args:
        regions: in the forms of `model.regions`.
        size: the width and height of the upright picture, pixels; None: there is none.
    """
    if regions and size is None:
        raise InputError("regions without a picture")
    if len(regions) > MOST_REGIONS:
        raise InputError(f"{len(regions)} regions, expected {MOST_REGIONS} at most")
    for number, region in enumerate(regions, start=1):
        with naming(f"region {number}"):
            assert size is not None
            read_region(region, *size, "mask")
