"""Runs of `recap` on the small world, with a scorer that needs no model."""

from collections.abc import Sequence
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

from pipelines.datasets.spec import SourceRequest
from pipelines.recap.client.captioner import OpenAICaptioner
from pipelines.recap.client.endpoints import Servers
from pipelines.recap.clip.scorer import Score
from pipelines.recap.flow import CaptionTools
from pipelines.recap.plan import make_recap_plan
from pipelines.recap.run import run_recap
from pipelines.recipes.recap import Captioning, Filter, RecapRecipe

CONCURRENCY = 4
KEY = "sk-fuzz-0123456789abcdef"  # in KEY_VARIABLE; must be in no file
KEY_VARIABLE = "FUZZ_API_KEY"


class HashScorer:
    """Scores by the hash of pixels and caption."""

    identity = "hash"

    def score(self, crops: Sequence[Any], captions: Sequence[str]) -> list[Score]:
        """Return a score for each pair."""
        pairs = zip(crops, captions, strict=True)
        digests = [sha256(crop.tobytes() + text.encode()).digest() for crop, text in pairs]
        return [Score(digest[0] / 256, digest[0] / 512) for digest in digests]


def recap(world: Path, output: Path, url: str, **servers: Any) -> None:
    """Caption the regions of COCO."""
    where = Servers(endpoints=(url,), concurrency=CONCURRENCY, api_key_env=KEY_VARIABLE, **servers)
    captioning = Captioning(model="stub")
    source = SourceRequest(name="coco", year=2017, label_set="Shapes-15")
    recipe = RecapRecipe(
        sources=(source,),
        captioning=captioning,
        filter=Filter(threshold=0.2, scorer=HashScorer.identity),
        shard_bytes=20_000,
    )
    tools = CaptionTools(
        captioner=partial(OpenAICaptioner, where, captioning),
        scorer=HashScorer,
        concurrent_images=CONCURRENCY,
    )
    run_recap(recipe, make_recap_plan(recipe, str(world), str(output)), tools)
