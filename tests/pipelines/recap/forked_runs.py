"""Runs of `recap` that are forked from one process and killed; a program for `test_recap_kill`.

    python forked_runs.py OPTIONS      options: JSON, see `Options`

It says "ready". Then each line it reads is an output and the seconds after which the run is killed,
or "never"; each line it writes, JSON with the status of the run and when it ended on the monotonic
clock. Forked, runs need not import anything: all their time is spent on what may be interrupted.
"""

import gc
import json
import os
import signal
import sys
import time
from functools import partial
from hashlib import sha256
from importlib import import_module
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

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
quick_beam = import_module("tests.quick_beam")

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


def main() -> None:
    options = json.loads(sys.argv[1])
    quick_beam.make_beam_quick(setattr)
    gc.freeze()  # else each run would copy all of it
    print("ready", flush=True)
    for line in sys.stdin:
        output, moment = line.split()
        child = os.fork()
        if not child:
            os.setsid()
            run(output, options)
            os._exit(0)
        if moment != "never":
            time.sleep(float(moment))
            os.kill(child, signal.SIGKILL)  # not its group: it may not have made one yet
        _, status = os.waitpid(child, 0)
        ended = {"status": os.waitstatus_to_exitcode(status), "ended": time.monotonic()}
        print(json.dumps(ended), flush=True)


if __name__ == "__main__":
    main()
