"""Write `golden_captions.json`: what pycocoevalcap 1.2 makes of captions, with its Java programs.

    python make_golden_captions.py REAL_SAMPLES   # with pycocoevalcap and Java

The sentences of the fixture are ours, or Visual Genome's (CC BY 4.0). Of RefCOCOg's sentences,
which come without a licence, only values and hashes are kept. Each caption is another sentence of
the list, so that the scores have no pattern: `caption_of` says which. A new sentence is added to
`tokens` in the fixture, with anything beside it, before the script runs.
"""

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

from pycocoevalcap.cider.cider import Cider
from pycocoevalcap.meteor.meteor import Meteor
from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

GOLDEN = Path(__file__).with_name("golden_captions.json")
PHRASES = 60  # of Visual Genome
GROUP = 3  # sentences of a region, in the grouped form
FILES = ("refcocog_val", "refcoco_val", "refcoco+_val")


def tokenized(texts: list[str]) -> list[str]:
    lines = PTBTokenizer().tokenize({n: [{"caption": text}] for n, text in enumerate(texts)})
    return [lines[number][0] for number in range(len(texts))]


def caption_of(number: int, lines: list[str]) -> str:
    """Return the caption of an entry: the first half of its sentence, then the next sentence."""
    words = lines[number].split()
    return " ".join(words[: len(words) // 2] + lines[(number + 1) % len(lines)].split())


def scores(captions: list[str], references: list[list[str]]) -> dict[str, Any]:
    hypotheses = {number: [caption] for number, caption in enumerate(captions)}
    right = dict(enumerate(references))
    total, entries = Cider().compute_score(right, hypotheses)
    meteor, meteors = Meteor().compute_score(right, hypotheses)
    return {
        "cider": float(total),
        "cider_entries": [float(value) for value in entries],
        "meteor": meteor,
        "meteor_entries": meteors,
    }


def main() -> None:
    samples = Path(sys.argv[1])
    sentences = list(json.loads(GOLDEN.read_text(encoding="utf-8"))["tokens"])
    regions = samples / "visual_genome" / "v1.2" / "region_descriptions.json"
    image = json.loads(regions.read_text(encoding="utf-8"))[0]
    phrases = [region["phrase"] for region in image["regions"][:PHRASES]]
    lines = tokenized(phrases)
    captions = [caption_of(number, lines) for number in range(PHRASES)]
    groups = [lines[start : start + GROUP] for start in range(0, PHRASES, GROUP)]
    golden: dict[str, Any] = {
        "origin": "pycocoevalcap 1.2 by make_golden_captions.py; phrases: Visual Genome v1.2, "
        "image 1, CC BY 4.0",
        "tokens": dict(zip(sentences, tokenized(sentences), strict=True)),
        "phrases": list(zip(phrases, lines, strict=True)),
        "single": scores(captions, [[line] for line in lines]),
        "grouped": scores(captions[::GROUP], groups),
        "files": {},
    }
    for name in FILES:
        path = samples / "refcoco" / "minigpt4_eval" / f"{name}.json"
        lines = tokenized([row["sents"] for row in json.loads(path.read_text(encoding="utf-8"))])
        captions = [caption_of(number, lines) for number in range(len(lines))]
        right = dict(enumerate([line] for line in lines))
        total, _ = Cider().compute_score(right, dict(enumerate([line] for line in captions)))
        text = "\n".join(lines)
        golden["files"][name] = {
            "tokens_sha256": hashlib.sha256(text.encode()).hexdigest(),
            "cider": float(total),
        }
    text = json.dumps(golden, indent=1, ensure_ascii=False) + "\n"
    GOLDEN.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
