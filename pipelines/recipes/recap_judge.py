"""The model that judges captions, as requests to it and the journal's entries need it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import msgspec

from pipelines.recipes.judge_requests import JudgeRequests

MAX_TOKENS = 64  # of an answer, which is one word
CONTEXT = 0.5  # margin of the close-up on each side, as a share of that side


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeModel(JudgeRequests):
    """A model that judges, as a server names it; it is asked at temperature 0."""

    model: str
    extra_body: Mapping[str, Any] = field(default_factory=dict)  # further parameters of requests
    max_pixels: int  # of a sent picture

    @property
    def temperature(self) -> float:
        """0: the likeliest answer."""
        return 0.0

    @property
    def max_tokens(self) -> int:
        """The limit of an answer's tokens."""
        return MAX_TOKENS

    def digest(self, question: str) -> str:
        """Return a digest of the model, the view of a region and the words of a question."""
        settings = [self.model, self.temperature, self.max_tokens, dict(self.extra_body)]
        content = [settings, ["both", CONTEXT, self.max_pixels], question]
        return sha256(msgspec.json.encode(content, order="deterministic")).hexdigest()[:16]
