"""What generates the answers of a server: its interface, and the ways in which it fails."""

from collections.abc import Callable
from typing import Protocol

from model.batch import Example
from model.serve.answering import PendingAnswer, Settings


class BusyError(Exception):
    """So many requests wait that another one is not taken."""


class GenerationError(Exception):
    """An answer that could not be computed."""

    status = 500  # of the reply


class EngineDownError(GenerationError):
    """An answer that is not computed because the engine starts anew."""

    status = 503


class Engine(Protocol):
    """Generates answers, several at the same time, from the moment that `run` is awaited."""

    @property
    def is_up(self) -> bool:
        """Whether answers are generated now."""

    async def answer(
        self,
        example: Example,
        settings: Settings,
        on_text: Callable[[str], None] | None = None,
    ) -> PendingAnswer:
        """Return the answer to a prompt when it has ended; cancelled, it ends at once.

        Args:
            example: the prompt.
            settings: of the answer.
            on_text: takes each new part of the text, in whatever thread generates.

        Raises:
            BusyError: too many requests wait.
            GenerationError: the answer could not be computed.
        """

    async def run(self) -> None:
        """Generate answers until it is cancelled.

        Raises:
            RegionForgeError: no answer can be generated any more.
        """
