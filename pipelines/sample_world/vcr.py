"""The sample world in VCR's own layout.

    vcr/{train,val}.jsonl
    vcr/vcr1images/lsmdc_1001_SHAPES/1001_SHAPES_00.00.07.000-00.00.07.900@1.{jpg,json}

Questions are token lists in which a list of numbers stands for objects, counted from 0; the
`_orig` strings count them from 1. Of four choices only the labelled one is true. Class names are
written without blanks ("halfcircle"). Boxes have a detector's score as their fifth number.

Planted: numbers in `_orig` that are not objects ("3 has 4 corners."), one object whose list of
polygons is empty in every fifth picture, a grayscale picture, and a picture without any object,
about which there is no question.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from pipelines.sample_world.album import Shot, album
from pipelines.sample_world.instances import Record
from pipelines.sample_world.look import Look
from pipelines.sample_world.scene import Progress, Scene, World
from pipelines.sample_world.words import Words, listed
from schemas.ids import bucket, rank

FRAMES = ((384, 208), (360, 200))  # width and height of films, pixels
ODDITIES = {2: "empty", 4: "grey"}
CORNERS = {"triangle": 3, "square": 4, "diamond": 4, "pentagon": 5, "hexagon": 6}
_OPPOSITE = {"left of": "right of", "above": "below", "in front of": "behind"}
_OPPOSITE |= {second: first for first, second in _OPPOSITE.items()}
_REASON = {
    "left of": "further left than",
    "right of": "further right than",
    "above": "higher up than",
    "below": "lower down than",
}

Token = str | list[int]
Tokens = list[Token]


@dataclass(frozen=True, kw_only=True)
class Quiz:
    """A question with its choices of answers and reasons: a true one, then three false ones."""

    question: Tokens
    answers: list[Tokens]
    rationales: list[Tokens]


def write_vcr(root: Path, world: World, on_progress: Progress | None = None) -> None:
    """Write two lists of questions, and pictures with their metadata, below `root/vcr`."""
    folder = root / "vcr"
    lines: dict[str, list[Record]] = {"train": [], "val": []}
    for shot in album("vcr", world, ODDITIES, FRAMES):
        split = "val" if shot.position % 4 == 3 else "train"
        path = folder / "vcr1images" / f"{stem(shot)}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(shot.jpeg())
        path.with_suffix(".json").write_bytes(msgspec.json.encode(_metadata(shot)))
        for number, quiz in enumerate(_quizzes(shot.scene, world.look)):
            lines[split].append(_line(shot, quiz, split, (len(lines[split]), number)))
        if on_progress:
            on_progress(shot.position + 1, world.album_size)
    for split, records in lines.items():
        text = b"".join(msgspec.json.encode(record) + b"\n" for record in records)
        (folder / f"{split}.jsonl").write_bytes(text)


def stem(shot: Shot) -> str:
    """Return the folder and name of a picture, without suffix."""
    start, second = f"00.{shot.position // 60:02d}", f"{shot.position % 60:02d}"
    movie = _movie(shot)
    kind = "lsmdc" if movie.startswith("1001") else "movieclips"
    return f"{kind}_{movie}/{movie}_{start}.{second}.000-{start}.{second}.900@{shot.position % 3}"


def _movie(shot: Shot) -> str:
    return "1001_SHAPES" if shot.position % 3 else "Shapes_and_Colours"


def _metadata(shot: Shot) -> Record:
    things = shot.scene.things
    segments: list[list[list[list[int]]]] = [
        [part.round().astype(int).tolist() for part in thing.parts] for thing in things
    ]
    if things and shot.position % 5 == 0:
        segments[-1] = []
    return {
        "boxes": [[*thing.box, _score(shot, k)] for k, thing in enumerate(things)],
        "segms": segments,
        "names": _names(shot),
        "width": shot.scene.width,
        "height": shot.scene.height,
    }


def _score(shot: Shot, index: int) -> float:
    return round(0.7 + bucket(2_999, "score", shot.scene.key, index) / 10_000, 4)


def _names(shot: Shot) -> list[str]:
    return [thing.shape.replace(" ", "") for thing in shot.scene.things]


def _quizzes(scene: Scene, look: Look) -> Iterator[Quiz]:
    """Yield the questions about a scene; numbers in lists are things of the scene, from 0."""
    if scene.things:
        yield _colour(scene, look)
        yield from _relation(scene)
        yield from _corners(scene)
    if len(scene.things) > 1:
        yield _kind(scene)


def _colour(scene: Scene, look: Look) -> Quiz:
    index = bucket(len(scene.things), "asked", scene.key)
    mine = scene.things[index].colour
    others = sorted(set(look.colours) - {mine}, key=lambda name: rank("colour", scene.key, name))
    colours = [mine, *others[:3]]
    return Quiz(
        question=["What", "color", "is", [index], "?"],
        answers=[[[index], "is", colour, "."] for colour in colours],
        rationales=[["All", "of", [index], "is", "painted", colour, "."] for colour in colours],
    )


def _relation(scene: Scene) -> Iterator[Quiz]:
    """Yield a question about the relation of two things, whose false answers are never true."""
    relations = Words(scene=scene).relations
    for first, second in sorted(relations, key=lambda pair: rank("asked", scene.key, *pair))[:1]:
        lies = relations[first, second]
        x, y = [first], [second]
        covering: list[Tokens] = [
            [x, "covers", "a", "part", "of", y, "."],
            [y, "covers", "a", "part", "of", x, "."],
        ]
        if lies in _REASON:
            sides = [lies, _OPPOSITE[lies], "in front of", "behind"]
            centre: Tokens = ["The", "center", "of", x, "is"]
            reasons = [[*centre, *_REASON[s].split(), "that", "of", y, "."] for s in sides[:2]]
            reasons += covering
        else:
            sides = [lies, _OPPOSITE[lies], "far away from", "nowhere near"]
            reasons = covering if lies == "in front of" else covering[::-1]
            reasons.append([x, "and", y, "do", "not", "touch", "."])
            reasons.append(["There", "is", "a", "gap", "between", x, "and", y, "."])
        yield Quiz(
            question=["How", "does", x, "lie", "to", y, "?"],
            answers=[[x, "is", *side.split(), y, "."] for side in sides],
            rationales=reasons,
        )


def _corners(scene: Scene) -> Iterator[Quiz]:
    """Yield a question about a shape with corners, whose number is no object."""
    for index, thing in enumerate(scene.things):
        if number := CORNERS.get(thing.shape):
            counts = [str(number), str(number + 1), str(number + 2), str(number + 4)]
            every: Tokens = ["Every", *thing.shape.split(), "has"]
            yield Quiz(
                question=["How", "many", "corners", "does", [index], "have", "?"],
                answers=[[[index], "has", count, "corners", "."] for count in counts],
                rationales=[[*every, count, "of", "them", "."] for count in counts],
            )
            return


def _kind(scene: Scene) -> Quiz:
    everything = list(range(len(scene.things)))
    kinds = ("shapes", "people", "animals", "cars")
    signs = ("a single color", "legs", "fur", "wheels")
    return Quiz(
        question=["What", "are", everything, "?"],
        answers=[[everything, "are", kind, "in", "a", "picture", "."] for kind in kinds],
        rationales=[["Each", "of", everything, "has", *sign.split(), "."] for sign in signs],
    )


def _line(shot: Shot, quiz: Quiz, split: str, numbers: tuple[int, int]) -> Record:
    """Return a line; `numbers` are its index in the file and among the lines of the picture."""
    index, number = numbers
    order = {
        name: sorted(range(4), key=lambda k: rank(name, shot.scene.key, number, k))
        for name in ("answer", "rationale")
    }
    label = {name: positions.index(0) for name, positions in order.items()}
    return {
        "movie": _movie(shot),
        "objects": _names(shot),
        "interesting_scores": [0],
        "answer_likelihood": ("likely", "possible", "unlikely")[index % 3],
        "img_fn": f"{stem(shot)}.jpg",
        "metadata_fn": f"{stem(shot)}.json",
        "answer_orig": _as_typed(quiz.answers[0]),
        "question_orig": _as_typed(quiz.question),
        "rationale_orig": _as_typed(quiz.rationales[0]),
        "question": quiz.question,
        "answer_match_iter": order["answer"],
        "answer_sources": [index + 4 * k for k in order["answer"]],
        "answer_choices": [quiz.answers[k] for k in order["answer"]],
        "answer_label": label["answer"],
        "rationale_choices": [quiz.rationales[k] for k in order["rationale"]],
        "rationale_sources": [index + 4 * k for k in order["rationale"]],
        "rationale_match_iter": order["rationale"],
        "rationale_label": label["rationale"],
        "img_id": f"{split}-{shot.position}",
        "question_number": number,
        "annot_id": f"{split}-{index}",
        "match_fold": f"{split}-{index % 4}",
        "match_index": index,
    }


def _as_typed(tokens: Tokens) -> str:
    """Return tokens as one string, with objects as numbers from 1: "1, 2 and 3"."""
    words = [word if isinstance(word, str) else _numbered(word) for word in tokens]
    return re.sub(r" (?=[.,?])", "", " ".join(words))


def _numbered(objects: list[int]) -> str:
    return listed([str(index + 1) for index in objects])
