"""A run of `recap` that may be killed; a program for `test_recap_kill`, which forks it.

python forked_runs.py OUTPUT OPTIONS      options: JSON, see `Forge`
"""

import json
import os
import sys
import time
from functools import partial
from hashlib import sha256
from typing import Any

from pipelines.datasets.spec import SourceRequest
from pipelines.recap.client.captioner import OpenAICaptioner
from pipelines.recap.client.endpoints import Servers
from pipelines.recap.clip.scorer import Score
from pipelines.recap.flow import CaptionTools
from pipelines.recap.plan import make_recap_plan
from pipelines.recap.run import run_recap
from pipelines.recipes.recap import Captioning, Filter, RecapRecipe

PAIR_SECONDS = 0.01
MODERN: dict[str, Any] = {
    "views": "both",
    "structured": True,
    "neighbours": True,
    "global_caption": False,
}
MODERN |= {"samples": 2, "temperature": 0.7, "seed_requests": True}
JUDGED: dict[str, Any] = {"judge_model": "judge", "judge_min": 0.3, "judge_sentences": True}
JUDGED |= {"measured_checks": True, "max_alike": 0.75}


class SlowScorer:
    """Scores by the hash of pixels and caption, in no hurry."""

    identity = "hash"

    def score(self, crops, captions):
        time.sleep(PAIR_SECONDS * len(crops))
        pairs = zip(crops, captions, strict=True)
        ranks = [sha256(crop.tobytes() + text.encode()).digest()[0] / 256 for crop, text in pairs]
        return [Score(rank, rank / 2) for rank in ranks]


def run(output: str, options: dict) -> None:
    where = Servers(endpoints=(options["url"],), concurrency=options["concurrency"])
    captioning = Captioning(model="stub", **(MODERN if options["modern"] else {}))
    kept = JUDGED if options["modern"] else {}
    limits = Filter(threshold=0.2, scorer=SlowScorer.identity, **kept)
    judge = limits.judge(captioning.max_pixels)
    files = {"train": options["annotations"], "images": options["pictures"]}
    recipe = RecapRecipe(
        sources=(SourceRequest(name="coco", label_set="Things", paths=files),),
        captioning=captioning,
        filter=limits,
        shard_bytes=options["shard_bytes"],
    )
    tools = CaptionTools(
        captioner=partial(OpenAICaptioner, where, captioning),
        scorer=SlowScorer,
        concurrent_images=where.concurrency,
        judge=partial(OpenAICaptioner, where, judge) if judge else None,
    )
    run_recap(recipe, make_recap_plan(recipe, "", output), tools)


if __name__ == "__main__":
    os.setsid()
    run(sys.argv[1], json.loads(sys.argv[2]))
