"""A captioner that shows which share of the first answers was cut at the limit of tokens.

A line on standard error, once the first hundred calls are answered:

    3 % of the first 100 answers were cut at the limit of tokens
"""

from collections.abc import Callable

from pipelines.recap.captioning.captioner import Answer, Captioner, Request
from schemas.console import notice

CALLS = 100


class CutShare:
    """A captioner that passes requests to another captioner and counts the answers that are cut."""

    def __init__(self, inner: Captioner, say: Callable[[str], None] = notice) -> None:
        self._inner = inner
        self._say = say
        self._answers = self._cut = 0

    async def ask(self, request: Request) -> Answer:
        """Return the answer of the wrapped captioner; errors as in `Captioner.ask`."""
        answer = await self._inner.ask(request)
        self._answers += 1
        self._cut += answer.finish == "length"
        if self._answers == CALLS:
            share = 100 * self._cut / CALLS
            hint = "; --region-tokens and --global-tokens raise it" if self._cut else ""
            self._say(
                f"{share:.0f} % of the first {CALLS} answers were cut at the limit of tokens{hint}"
            )
        return answer

    async def close(self) -> None:
        """Close the wrapped captioner."""
        await self._inner.close()
