"""The judge of a run: its model and sampling, all of which decide what it replies."""

from hashlib import sha256
from typing import Any

import msgspec
from pydantic import BaseModel, ConfigDict, Field

from pipelines.recipes.judge_requests import JudgeRequests
from schemas.judged import Bench

# Limits of a reply's length in tokens, as the owners set them.
MAX_TOKENS: dict[Bench, int] = {"dlc": 300, "gar": 1000}


class Judge(JudgeRequests, BaseModel):
    """The model that judges, as a server names it, and its sampling."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str = Field(min_length=1)
    revision: str = ""  # of the weights, as the user states it; empty: not stated
    temperature: float | None = Field(default=0.0, ge=0, le=2)  # None: not sent
    max_tokens: int = Field(ge=1)
    extra_body: dict[str, Any] = Field(default_factory=dict)  # further parameters of requests

    def request_id(self, prompt: str) -> str:
        """Return the id of a request: a digest of the judge and of all text that it is sent.

        A reply is kept under it, so that an answer that has changed is judged anew.
        """
        settings: dict[str, Any] = {
            "model": self.model,
            "revision": self.revision,
            "temperature": self.temperature,
            "top_p": 1.0,  # was sent at first; replies of then are still used
            "max_tokens": self.max_tokens,
        }
        if self.extra_body:
            settings["extra_body"] = self.extra_body
        content = msgspec.json.encode([settings, prompt])
        return sha256(content).hexdigest()[:32]
