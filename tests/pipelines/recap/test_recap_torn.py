"""Runs with a judge that were killed in the middle of a line: what is lost is asked again, once."""

import json
import shutil
from collections import Counter
from hashlib import sha256

from pipelines.recap.clip.scorer import Score
from pipelines.recipes.recap import Filter

KEPT = Filter(
    threshold=0.1, scorer="hash", judge_model="judge", judge_min=0.3, judge_sentences=True
)


class Scorer:
    """Scores by the hash of pixels and caption."""

    identity = "hash"

    def score(self, crops, captions):
        pairs = zip(crops, captions, strict=True)
        ranks = [sha256(crop.tobytes() + text.encode()).digest()[0] / 256 for crop, text in pairs]
        return [Score(rank, rank / 2) for rank in ranks]


def kind_of(line: dict) -> str:
    """What wrote a line: the captioner, the judge or the scorer."""
    if line["type"] == "score":
        return "scorer"
    return "judge" if "/judge/" in line["id"] else "captioner"


def test_a_last_line_that_is_torn_costs_what_was_not_written(
    coco_file, serve, recap, tmp_path
) -> None:
    owner, server = coco_file().good(1, 2).save(), serve({"match": "/judge/", "yes": 0.9})

    def run(output):
        given = {"output": output, "judge": server, "kept": KEPT, "scorer": Scorer}
        return recap(owner, server, **given, shard_bytes=1_000_000)  # one shard

    calm = run(tmp_path / "calm")
    torn = set()
    for journal in calm.folder.glob("_state/captions/*/*.jsonl"):
        lines = journal.read_bytes().splitlines(keepends=True)
        kinds = [kind_of(json.loads(line)) for line in lines]
        for kind in set(kinds):
            last = len(kinds) - 1 - kinds[::-1].index(kind)
            output = tmp_path / f"{journal.stem}-{kind}"
            shutil.copytree(calm.folder / "_state", output / "_state")
            half = lines[last][: len(lines[last]) // 2]
            (output / journal.relative_to(calm.folder)).write_bytes(b"".join([*lines[:last], half]))
            server.forget()
            again = run(output)
            lost = [json.loads(line) for line in lines[last:]]
            asked = Counter(line["id"] for line in lost if line["type"] != "score")
            assert server.answered() == asked, kind
            assert again.noted() == calm.noted(), kind
            assert len(again.journal()) == len(calm.journal()), kind
            assert again.output.digests() == calm.output.digests(), kind
            assert again.rejected() == calm.rejected(), kind
            torn.add(kind)
    assert torn == {"captioner", "judge", "scorer"}
