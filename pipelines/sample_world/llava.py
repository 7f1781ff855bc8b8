"""The sample world in the layout of LLaVA's instruction data: conversations about COCO's pictures.

    llava/llava_instruct_150k.json      `image` is a bare name of COCO's train2017
    llava/llava_v1_5_mix665k.json       `image` has its folder below the data root
    gqa/images/    ocr_vqa/images/    textvqa/train_images/      a picture or two of each

All answers are true. Conversations are of three kinds: several questions, a description, a
conclusion; conversations about one picture have the same `id`. Half of the questions whether a
shape is there are about one that is.

A world without oddities has the first file only, and a fourth kind: whether shapes are there.

Planted in the mix: records without a picture, one
whose OCR-VQA picture is missing, one whose ".jpg" is a GIF, and one about the empty file of Visual
Genome. About a picture with an EXIF turn, no text mentions left, right, top or bottom.
"""

from collections.abc import Callable, Iterator, Sequence
from io import BytesIO
from pathlib import Path

import msgspec

from pipelines.sample_world import coco, visual_genome
from pipelines.sample_world.album import lay_out, picture_bytes
from pipelines.sample_world.draw import draw
from pipelines.sample_world.instances import Record
from pipelines.sample_world.look import HARD
from pipelines.sample_world.scene import Progress, Scene, World
from pipelines.sample_world.words import NUMBERS, Words, a, counted, listed, plural
from schemas.ids import bucket, rank

Round = tuple[str, str]  # question, answer
Rounds = list[Round]

_TEXT_ONLY_EVERY = 8
_PRESENCES = 2  # questions for yes in a conversation of such questions alone
_PLAIN = (("triangle", 3), ("square", 4), ("pentagon", 5), ("hexagon", 6))


def write_llava(root: Path, world: World, on_progress: Progress | None = None) -> None:
    """Write two files of conversations below `root/llava`, and the mix's other pictures."""
    shown = [picture for picture in coco.pictures(world) if picture.splits[2017] == "train"]
    instruct: list[Record] = []
    mix: list[Record] = []
    for position, picture in enumerate(shown):
        stem = f"{picture.number:012d}"
        kinds = conversations(
            picture.scene, sides=picture.oddity != "turned", shapes=world.look.shapes
        )
        if not world.look.odd:
            kinds.append(_presences(picture.scene, world.look.shapes))
        instruct += [record(stem, f"{stem}.jpg", rounds) for rounds in kinds]
        if position % 2 == 0:
            mix.append(record(stem, f"coco/train2017/{stem}.jpg", kinds[0], last=position % 4 == 0))
        if position % _TEXT_ONLY_EVERY == 0:
            mix.append(record(f"text{position}", None, _text_only(position)))
        if on_progress:
            on_progress(position + 1, len(shown))
    files = {"llava_instruct_150k": instruct}
    if world.look.odd:
        mix += [*_about_visual_genome(world), *_others(root, world)]
        files["llava_v1_5_mix665k"] = mix
    (root / "llava").mkdir(parents=True, exist_ok=True)
    for name, records in files.items():
        text = msgspec.json.format(msgspec.json.encode(records), indent=2)
        (root / "llava" / f"{name}.json").write_bytes(text)


def record(stem: str, image: str | None, rounds: Rounds, *, last: bool = False) -> Record:
    """Return a record; `<image>` is first or last in the first question about a picture."""
    turns = [
        {"from": speaker, "value": text}
        for pair in rounds
        for speaker, text in zip(("human", "gpt"), pair, strict=True)
    ]
    if image is None:
        return {"id": stem, "conversations": turns}
    first = turns[0]["value"]
    turns[0]["value"] = f"{first}\n<image>" if last else f"<image>\n{first}"
    return {"id": stem, "image": image, "conversations": turns}


def conversations(
    scene: Scene, *, sides: bool = True, shapes: Sequence[str] = HARD.shapes
) -> list[Rounds]:
    """Return a conversation of several rounds, a description and, with two things, a conclusion.

    Args:
        scene: what the picture shows.
        sides: whether the sides of the picture may be named.
        shapes: the shapes that are asked for.
    """
    words = Words(scene=scene, sides=sides)
    dialogues = [
        _questions(words, shapes),
        [("Describe this picture in detail.", _described(words))],
    ]
    singles = [k for k, thing in enumerate(scene.things) if not thing.crowd]
    if len(singles) > 1:
        first, second = max(singles, key=_area(scene)), min(singles, key=_area(scene))
        answer = (
            f"{a(words.noun(first)).capitalize()} hides more of the background, because it has a "
            f"larger area than {a(words.noun(second))}."
        )
        question = "Which single thing hides most of the background, and why?"
        dialogues.append([(question, answer)])
    return dialogues


def _area(scene: Scene) -> Callable[[int], float]:
    return lambda index: scene.things[index].area


def _questions(words: Words, shapes: Sequence[str]) -> Rounds:
    scene = words.scene
    singles = [k for k, thing in enumerate(scene.things) if not thing.crowd]
    number = counted(len(singles), "single thing")
    rounds = [("How many single things are drawn here?", f"I count {number}.")]
    for index in singles:
        for first in words.descriptions(index)[:1]:
            if not first.colour:
                colour = scene.things[index].colour
                rounds.append((f"What color is the {first}?", f"The {first} is {colour}."))
    return [*rounds[:3], _presence(scene, shapes)]


def _presence(scene: Scene, shapes: Sequence[str]) -> Round:
    """Return a question whether a shape is in the picture; in half of the pictures it is."""
    present = {thing.shape for thing in scene.things}
    asked = sorted(present) if present and bucket(2, "present", scene.key) else None
    choices = asked or sorted(set(shapes) - present)
    shape = choices[bucket(len(choices), "absent", scene.key)]
    return _whether(shape, there=asked is not None)


def _presences(scene: Scene, shapes: Sequence[str]) -> Rounds:
    """Return questions whether a shape is in the picture, as many for yes as for no."""

    def order(shape: str) -> int:
        return rank("presences", scene.key, shape)

    present = {thing.shape for thing in scene.things}
    there = sorted(present, key=order)[:_PRESENCES]
    absent = sorted(set(shapes) - present, key=order)[: len(there)]
    return [_whether(shape, there=shape in present) for shape in sorted(there + absent, key=order)]


def _whether(shape: str, *, there: bool) -> Round:
    answer = f"Yes, there is {a(shape)}." if there else f"No, there is no {shape}."
    return f"Is there {a(shape)}?", answer


def _described(words: Words) -> str:
    things = words.scene.things
    nouns = [
        f"a crowd of {plural(words.noun(k))}" if thing.crowd else a(words.noun(k))
        for k, thing in enumerate(things)
    ]
    ground = f"The background looks like {words.scene.ground}."
    if not nouns:
        return f"{ground}\n\nNothing is drawn on it."
    relations = [
        f"{a(words.noun(first)).capitalize()} is {lies} {a(words.noun(second))}."
        for (first, second), lies in sorted(words.relations.items())[:2]
    ]
    return f"{ground} On it, one sees {listed(nouns)}.\n\n{' '.join(relations)}".strip()


def _text_only(position: int) -> Rounds:
    shape, corners = _PLAIN[position // _TEXT_ONLY_EVERY % len(_PLAIN)]
    question = f"How many corners does {a(shape)} have?"
    return [(question, f"{a(shape).capitalize()} has {NUMBERS[corners]} corners.")]


def _about_visual_genome(world: World) -> Iterator[Record]:
    for entry in visual_genome.entries(world):
        if entry.oddity != "resized":
            kinds = conversations(entry.scene)
            yield record(str(entry.image_id), f"vg/{entry.path}", kinds[0])


def _others(root: Path, world: World) -> Iterator[Record]:
    """Write one picture for each of the other folders, and yield a record about each picture."""
    for folder, name, kind in (
        ("gqa/images", "2001.jpg", "JPEG"),
        ("textvqa/train_images", "00f1a2.jpg", "JPEG"),
        ("ocr_vqa/images", "0142.jpg", "GIF"),
        ("ocr_vqa/images", "0143.jpg", "missing"),
    ):
        scene = lay_out(f"{folder}/{name}/{world.seed}", "")
        path = root / folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if kind == "JPEG":
            path.write_bytes(picture_bytes(scene))
        elif kind == "GIF":
            path.write_bytes(_gif(scene))
        yield record(f"{folder}/{path.stem}", f"{folder}/{name}", conversations(scene)[0])


def _gif(scene: Scene) -> bytes:
    buffer = BytesIO()
    draw(scene).quantize(64).save(buffer, "GIF")
    return buffer.getvalue()
