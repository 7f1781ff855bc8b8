"""Data like LLaVA's in full size: 157,712 conversations, and 558,128 pretraining captions."""

from collections.abc import Iterator
from pathlib import Path

from bench.full_size_world import coco, prose
from bench.full_size_world.counts import scaled, write_json
from bench.full_size_world.pictures import link_pictures
from pipelines.sample_world.scene import generator

RECORDS, PICTURES = 157_712, 81_479  # numbers of LLaVA-Instruct
CAPTIONS, PER_FOLDER = 558_128, 847  # numbers of LLaVA-Pretrain
_REQUESTS = (b"What is in the photo?", b"Describe the image concisely.", b"What is this?")
_TEXTS = 60_000
_ROUNDS = 7
_RECORD = b'{"id":"%b","image":"%b","conversations":[%b]}'
_FIRST = b'{"from":"human","value":"<image>\\n%b"},{"from":"gpt","value":"%b"}'
_ROUND = b'{"from":"human","value":"%b"},{"from":"gpt","value":"%b"}'


def write_llava(root: Path, scale: float) -> None:
    """Write data like LLaVA-Instruct below `root/llava`, scaled to a share of COCO's pictures."""
    records = _records(scaled(RECORDS, scale), scaled(PICTURES, scale))
    write_json(root / "llava" / "llava_instruct_150k.json", [b"[", records, b"]"])


def _records(count: int, pictures: int) -> Iterator[bytes]:
    """Yield conversations of seven rounds (58 of 158), or of one round with nine sentences."""
    sentences = [text.encode() for text in prose.sentences("llava", _TEXTS, 16)]
    rng = generator("llava", count)
    drawn = rng.integers(_TEXTS, size=(count, 2 * _ROUNDS)).tolist()
    about = rng.integers(1, pictures + 1, size=count).tolist()
    kinds = (rng.random(count) < 58 / 158).tolist()
    for texts, number, several in zip(drawn, about, kinds, strict=True):
        said = [sentences[place] for place in texts]
        asked, answers = said[:_ROUNDS], said[_ROUNDS:]
        if not several:
            asked, answers = said[:1], [b" ".join(said[5:])]
        rounds = [_FIRST % (asked[0], answers[0])]
        rounds += [_ROUND % pair for pair in zip(asked[1:], answers[1:], strict=True)]
        name = coco.name_of(number).encode()
        yield _RECORD % (name.removesuffix(b".jpg"), name, b",".join(rounds))


def write_llava_pretrain(root: Path, scale: float) -> None:
    """Write data like LLaVA-Pretrain below `root/llava_pretrain`, scaled to a share of pictures."""
    folder, count = root / "llava_pretrain", scaled(CAPTIONS, scale)
    names = [f"{k // PER_FOLDER:05d}/{k // PER_FOLDER:05d}{k:06d}.jpg" for k in range(count)]
    pictures = ((name, (336, 336)) for name in names)
    link_pictures(folder / "plain", folder / "images", pictures)
    path = folder / "blip_laion_cc_sbu_558k.json"
    write_json(path, [b"[", _captions(names), b"]"])


def _captions(names: list[str]) -> Iterator[bytes]:
    texts = [text.encode() for text in prose.phrases("llava captions", _TEXTS, 11)]
    drawn = generator("llava captions", len(names)).integers(_TEXTS, size=len(names)).tolist()
    for k, (name, place) in enumerate(zip(names, drawn, strict=True)):
        stem = name[6:].removesuffix(".jpg").encode()
        said = _FIRST % (_REQUESTS[k % len(_REQUESTS)], texts[place])
        yield _RECORD % (stem, name.encode(), said)
