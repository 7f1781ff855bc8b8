"""The judge of a run: its model and sampling, all of which decide what it replies."""

from hashlib import sha256

import msgspec
from pydantic import BaseModel, ConfigDict, Field

from schemas.judged import Bench

# Limits of a reply's length in tokens, as the owners set them.
MAX_TOKENS: dict[Bench, int] = {"dlc": 300, "gar": 1000}


class Judge(BaseModel):
    """The model that judges, as a server names it, and its sampling."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str = Field(min_length=1)
    revision: str = ""  # of the weights, as the user states it; empty: not stated
    temperature: float = Field(default=0.0, ge=0, le=2)
    top_p: float = 1.0  # not sampled from: the owners' judges take 1
    max_tokens: int = Field(ge=1)

    @property
    def seed_requests(self) -> bool:
        """False: a request takes no seed."""
        return False

    def request_id(self, prompt: str) -> str:
        """Return the id of a request: a digest of the judge and of all text that it is sent.

        A reply is kept under it, so that an answer that has changed is judged anew.
        """
        content = msgspec.json.encode([self.model_dump(), prompt])
        return sha256(content).hexdigest()[:32]
