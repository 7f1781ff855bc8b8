"""Conversations as token ids and labels, built piece by piece.

Nothing is found by tokenising again: the template says which text is whose, and each piece is
encoded with its own labels. Only answers and the stops after them are supervised.
"""

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from transformers import PreTrainedTokenizerBase

from model.config import IGNORED
from model.text.errors import RegionMismatch, RowTooLong, WrongTurns
from model.text.pieces import PieceEncoder
from model.text.sequence import TokenLayout, TokenSequence
from model.text.skeleton import Step, skeleton
from model.text.template import PLAIN, Messages, Template, asks_nothing, render, saved_jinja
from schemas.sample import IMAGE_TOKEN

_PLACEHOLDER = re.compile(f"{IMAGE_TOKEN}|<region([0-9]+)>")


@dataclass(frozen=True)
class EncodedPrompt:
    """Token ids up to where an answer begins.

    Attributes:
        input_ids: the ids; placeholders are negative (see `model.config`).
        regions: the region of each region token, from 0, in order.
        images: the number of pictures.
    """

    input_ids: list[int]
    regions: list[int]
    images: int


@dataclass(frozen=True)
class EncodedConversation(EncodedPrompt):
    """Token ids and labels of a row.

    Attributes:
        labels: the id at each supervised position; -100 elsewhere.
        kept_regions: the row's regions that are still mentioned, ascending, from 0; `regions`
            counts among these.
        dropped_turns: the number of answers left out at the end, as the row is too long.
        dropped_tokens: the number of their supervised tokens.
    """

    labels: list[int]
    kept_regions: list[int]
    dropped_turns: int = 0
    dropped_tokens: int = 0


class ConversationEncoder:
    """Encodes conversations and prompts for one tokenizer, template and layout.

    Attributes:
        stop_strings: texts at which generation ends.
        stop_ids: special tokens at which generation ends.
        jinja: the template to be saved with the tokenizer.
    """

    def __init__(
        self, tokenizer: PreTrainedTokenizerBase, template: Template, layout: TokenLayout
    ) -> None:
        self.tokenizer = tokenizer
        self.template = template
        self.layout = layout
        self.pieces = PieceEncoder(tokenizer)
        self._skeletons: dict[tuple[str, tuple[str, ...]], list[Step]] = {}

    def answer(self, ids: Sequence[int]) -> str:
        """Return the answer in new token ids of a model, without the stop and the blanks around.

        Placeholders are left out: transformers' pipelines decode the prompt in the same way.
        """
        words = [token for token in ids if token >= 0]
        text: str = self.tokenizer.decode(words, skip_special_tokens=True)
        for stop in self.template.stop_strings:
            text = text.partition(stop)[0]
        return text.strip()

    @property
    def stop_strings(self) -> tuple[str, ...]:
        return self.template.stop_strings

    @property
    def stop_ids(self) -> tuple[int, ...]:
        steps = self._skeleton(self.template, ("user", "assistant"))
        return tuple(step.mark for step in steps if step.ends_turn and step.mark is not None)

    @property
    def jinja(self) -> str:
        return saved_jinja(self.template)

    def render(self, messages: Messages, *, generate: bool) -> str:
        """Return the text of a conversation, up to where an answer begins if `generate`."""
        template = self._template_of(messages)
        return render(self.tokenizer, template.jinja, messages, generate=generate)

    def encode_text(self, text: str, regions: int, name: str = "the text") -> EncodedPrompt:
        """Return the token ids of text that a template has written already.

        Special tokens in the text are obeyed: prefer `encode_prompt` where messages are at hand.

        Args:
            text: with `<image>` and `<region1>` as placeholders.
            regions: the number of regions.
            name: the text's, for errors.

        Raises:
            RegionMismatch: the regions are not those that the text mentions.
        """
        check_regions(text, regions, name)
        sequence = TokenSequence(self.pieces, self.layout)
        for part in self.pieces.split(text):
            if isinstance(part, int):
                sequence.add_mark(part)
            else:
                _add_message(sequence, part)
        sequence.flush()
        return EncodedPrompt(sequence.ids, sequence.regions, sequence.images)

    def encode_prompt(
        self, messages: Messages, regions: int, name: str = "the prompt"
    ) -> EncodedPrompt:
        """Return the token ids of messages that end with a user turn, up to the answer.

        Args:
            messages: each with `role` and `content`.
            regions: the number of the row's regions.
            name: the row's, for errors.

        Raises:
            WrongTurns: the roles are not user and assistant in turn.
            RegionMismatch: the regions are not those that the messages mention.
        """
        _check_turns(messages, "user", name)
        check_regions(_whole_text(messages), regions, name)
        sequence, _ = self._encode(messages)
        return EncodedPrompt(sequence.ids, sequence.regions, sequence.images)

    def encode_conversation(
        self, messages: Messages, regions: int, name: str = "the row"
    ) -> EncodedConversation:
        """Return the token ids and labels of a row, without the turns at its end that are too much.

        Args:
            messages: each with `role` and `content`; the last is an assistant's.
            regions: the number of the row's regions.
            name: the row's, for errors.

        Raises:
            WrongTurns: the roles are not user and assistant in turn.
            RegionMismatch: the regions are not those that the messages mention.
            RowTooLong: not even the first question and answer fit.
        """
        _check_turns(messages, "assistant", name)
        check_regions(_whole_text(messages), regions, name)
        whole, ends = self._encode(messages)
        sequence, kept = whole, len(ends)
        most = self.layout.max_length or len(whole.ids)
        while len(sequence.ids) > most:  # a template may write the last turn at more length
            if kept == 1:
                raise RowTooLong(
                    f"{name}: its first question and answer take {len(sequence.ids)} tokens, "
                    f"expected {most} at most"
                )
            kept = max(1, min(kept - 1, bisect_right(ends, most)))
            until = len(messages) - 2 * (len(ends) - kept)
            sequence, _ = self._encode(messages[:until])
        mentioned = sorted(set(sequence.regions))
        number = {region: index for index, region in enumerate(mentioned)}
        return EncodedConversation(
            sequence.ids,
            [number[region] for region in sequence.regions],
            sequence.images,
            sequence.labels,
            mentioned,
            len(ends) - kept,
            _supervised(whole) - _supervised(sequence),
        )

    def _encode(self, messages: Messages) -> tuple[TokenSequence, list[int]]:
        """Return the sequence of the messages, and its length after each answer's stop."""
        template = self._template_of(messages)
        sequence, ends = TokenSequence(self.pieces, self.layout), []
        roles = tuple(message["role"] for message in messages)
        for step in self._skeleton(template, roles):
            if step.message is not None:
                text = messages[step.message]["content"]
                text = text.strip() if step.trimmed else text
                _add_message(sequence, text, supervised=step.supervised)
            elif step.mark is not None:
                sequence.add_mark(step.mark, supervised=step.supervised)
            else:
                sequence.add_text(step.words, supervised=step.supervised)
            if step.ends_turn:
                sequence.flush()
                ends.append(len(sequence.ids))
        sequence.flush()
        return sequence, ends

    def _skeleton(self, template: Template, roles: tuple[str, ...]) -> list[Step]:
        key = template.name, roles
        if key not in self._skeletons:
            self._skeletons[key] = skeleton(self.tokenizer, self.pieces, template, roles)
        return self._skeletons[key]

    def _template_of(self, messages: Messages) -> Template:
        plain = self.template.plain_captions and asks_nothing(messages)
        return PLAIN if plain else self.template


def check_regions(text: str, regions: int, name: str) -> None:
    """Check that a text mentions every region of a row, and no other.

    Raises:
        RegionMismatch: it does not.
    """
    mentioned = {match.group(1) for match in _PLACEHOLDER.finditer(text)} - {None}
    known = set(map(str, range(1, regions + 1)))
    expected = f"numbers from 1 to {regions}" if regions else "none, as there are no regions"
    for number in sorted(mentioned - known):
        raise RegionMismatch(f"{name}: <region{number[:20]}> is mentioned, expected {expected}")
    for number in sorted(known - mentioned, key=int):
        raise RegionMismatch(
            f"{name}: <region{number}> is not mentioned, expected each of {regions} regions to be"
        )


def _whole_text(messages: Messages) -> str:
    return "\n".join(message["content"] for message in messages)


def _check_turns(messages: Messages, last: str, name: str) -> None:
    """Check that user and assistant take turns, after at most one system message."""
    roles = [message["role"] for message in messages]
    spoken = roles[1:] if roles[:1] == ["system"] else roles
    expected = ["user", "assistant"] * (len(spoken) // 2) + ["user"] * (last == "user")
    if not spoken or spoken != expected:
        raise WrongTurns(
            f"{name}: its roles are {roles}, expected user and assistant in turn after at most one "
            f"system, and {last} last"
        )


def _add_message(sequence: TokenSequence, text: str, *, supervised: bool = False) -> None:
    """Add the text of a message, with its placeholders."""
    end = 0
    for match in _PLACEHOLDER.finditer(text):
        sequence.add_text(text[end : match.start()], supervised=supervised)
        if match.group(1) is None:
            sequence.add_image()
        else:
            sequence.add_region(int(match.group(1)) - 1)
        end = match.end()
    sequence.add_text(text[end:], supervised=supervised)


def _supervised(sequence: TokenSequence) -> int:
    return len(sequence.labels) - sequence.labels.count(IGNORED)
