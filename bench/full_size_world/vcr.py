"""Data like VCR's train and val splits in full size: 239,457 questions about 90,347 pictures.

Each picture has a metadata file, as in VCR. A thousand metadata files are made, and all others are
links to them, since only the objects' names must match the questions.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from bench.full_size_world import prose
from bench.full_size_world.counts import scaled, shared_out, write_lines
from bench.full_size_world.pictures import link_one, link_pictures
from pipelines.sample_world.instances import Record
from pipelines.sample_world.scene import generator

SPLITS = {
    "train": (212_923, 80_418),
    "val": (26_534, 9_929),
}  # numbers of questions and of pictures
_FILMS = 2_000
FRAME = (1920, 1040)  # width and height of the pictures in pixels
OBJECTS = 10.5  # mean number per picture; each has at least 2
_SHARED_METADATA = 1_000
_TEXTS = 20_000
_CLASSES = 80


@dataclass(frozen=True, kw_only=True)
class _Texts:
    """The same texts in two forms: as JSON lists of tokens, and as plain strings."""

    tokens: list[bytes]
    originals: list[bytes]


def write_vcr(root: Path, scale: float) -> None:
    """Write two question files, and pictures with metadata files, below `root/vcr`."""
    folder = root / "vcr"
    metadata = [_metadata(k) for k in range(_SHARED_METADATA)]
    (folder / "plain").mkdir(parents=True, exist_ok=True)
    for k, content in enumerate(metadata):
        (folder / "plain" / f"{k}.json").write_bytes(msgspec.json.encode(content))
    names = [msgspec.json.encode(content["names"]) for content in metadata]
    first = 0
    for split, (questions, pictures) in SPLITS.items():
        stems = [_stem(first + k) for k in range(scaled(pictures, scale))]
        _write_pictures(folder, split, stems)
        lines = _questions(split, stems, names, scaled(questions, scale))
        write_lines(folder / f"{split}.jsonl", lines)
        first += len(stems)


def _write_pictures(folder: Path, split: str, stems: list[str]) -> None:
    images = folder / "vcr1images"
    link_pictures(folder / "plain" / split, images, ((f"{stem}.jpg", FRAME) for stem in stems))
    for number, stem in enumerate(stems):
        plain = folder / "plain" / f"{number % _SHARED_METADATA}.json"
        link_one(plain, images / f"{stem}.json")


def _stem(number: int) -> str:
    film = f"{number % _FILMS + 1:04d}_FILM"
    return f"lsmdc_{film}/{film}_00.{number % 60:02d}.{number % 59:02d}.{number:06d}@{number % 3}"


def _metadata(number: int) -> Record:
    rng = generator("vcr metadata", number)
    count = 2 + int(rng.poisson(OBJECTS - 2))
    sizes = 20 + rng.random((count, 2)) ** 2 * (np.array(FRAME) - 40)
    corners = rng.random((count, 2)) * (np.array(FRAME) - sizes)
    boxes = np.hstack([corners, corners + sizes, 0.7 + 0.3 * rng.random((count, 1))])
    classes = ["person", *(name.replace(" ", "") for name in prose.names(_CLASSES))]
    drawn = np.where(rng.random(count) < 0.6, 0, rng.integers(len(classes), size=count))
    return {
        "boxes": boxes.tolist(),
        "segms": [[_outline(rng, box)] for box in boxes],
        "names": [classes[place] for place in drawn.tolist()],
        "width": FRAME[0],
        "height": FRAME[1],
    }


def _outline(rng: np.random.Generator, box: Sequence[float]) -> list[list[int]]:
    """Return about 150 points, x and y in whole pixels, of the ellipse in an xyxy box."""
    angle = np.linspace(0, 2 * np.pi, int(rng.integers(50, 250)), endpoint=False)
    x0, y0, x1, y1 = box[:4]
    x = (x0 + x1) / 2 + (x1 - x0) / 2 * np.cos(angle)
    y = (y0 + y1) / 2 + (y1 - y0) / 2 * np.sin(angle)
    return np.stack([x, y], axis=1).astype(int).tolist()


def _questions(split: str, stems: list[str], names: list[bytes], count: int) -> Iterator[bytes]:
    asked, answers, reasons = (_texts(of, mean) for of, mean in (("q", 7), ("a", 8), ("r", 15)))
    counts = shared_out(generator("vcr", split), count, len(stems))
    pictures = np.repeat(np.arange(len(stems)), counts).tolist()
    rng = generator("vcr drawn", split)
    drawn = rng.integers(_TEXTS, size=(count, 9)).tolist()
    labels = rng.integers(4, size=(count, 2)).tolist()
    template = (
        b'{"movie":"%b","objects":%b,"interesting_scores":[0],"answer_likelihood":"likely",'
        b'"img_fn":"%b.jpg","metadata_fn":"%b.json","answer_orig":"%b","question_orig":"%b",'
        b'"rationale_orig":"%b","question":%b,"answer_match_iter":[1,2,3,0],'
        b'"answer_sources":[6753,16675,21100,3],"answer_choices":[%b],"answer_label":%d,'
        b'"rationale_choices":[%b],"rationale_sources":[3,8959,11224,13039],'
        b'"rationale_match_iter":[0,3,2,1],"rationale_label":%d,"img_id":"%b-%d",'
        b'"question_number":%d,"annot_id":"%b-%d","match_fold":"train-0","match_index":3}'
    )
    each = enumerate(zip(pictures, drawn, labels, strict=True))
    for number, (picture, (question, *choices), (answer, reason)) in each:
        stem = stems[picture].encode()
        yield template % (
            *(stem.split(b"/")[0], names[picture % len(names)], stem, stem),
            answers.originals[choices[answer]],
            asked.originals[question],
            reasons.originals[choices[4 + reason]],
            asked.tokens[question],
            *(b",".join(answers.tokens[k] for k in choices[:4]), answer),
            *(b",".join(reasons.tokens[k] for k in choices[4:]), reason),
            *(split.encode(), picture, number % 4, split.encode(), number),
        )


def _texts(key: str, words: float) -> _Texts:
    """Return random texts, most of which name the first object, the second object or both."""
    sentences = prose.sentences(f"vcr {key}", _TEXTS, words)
    mentions = generator("vcr mentions", key).integers(4, size=_TEXTS).tolist()
    tokens, originals = [], []
    for text, kind in zip(sentences, mentions, strict=True):
        named = ([], [[0]], [[1]], [[0, 1]])[kind]
        tokens.append(msgspec.json.encode([*named, *text.removesuffix(".").split(" "), "."]))
        numbers = "".join(",".join(str(k + 1) for k in group) + " " for group in named)
        originals.append(f"{numbers}{text}".encode())
    return _Texts(tokens=tokens, originals=originals)
