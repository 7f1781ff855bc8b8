"""Pictures that EXIF turns are stored upright, and their regions lie on the same pixels as before.

Each picture is painted red exactly where its region is, so that what `datasets` decodes shows
whether box and mask are still right.
"""

import io
import itertools
import shutil

import numpy as np
import pytest
import xxhash
from datasets import Image as ImageFeature
from PIL import Image, ImageOps
from pycocotools import mask as rle

from pipelines.datasets.spec import SourceRequest
from pipelines.plan import make_plan
from pipelines.recipes.recipe import Recipe
from pipelines.runner.launch import LaunchOptions, launch
from pipelines.verify import verify

ORIENTATION = 0x0112
SIDES = {"oblong": (60, 40), "square": (48, 48)}  # of the stored pixels
OUTLINE = [6.0, 5.0, 31.0, 5.0, 31.0, 14.0, 17.0, 14.0, 17.0, 36.0, 6.0, 36.0]  # an L
RED, BLUE = (255, 0, 0), (0, 90, 255)

# Format, sides, orientation, and the frame that the annotations are in. Those in the upright one
# can be told only where the turn exchanges two different sides.
CASES = [
    *itertools.product(["JPEG", "PNG"], SIDES, range(1, 9), ["stored"]),
    *itertools.product(["JPEG", "PNG"], ["oblong"], range(5, 9), ["upright"]),
]


def hash_of(content: bytes) -> str:
    return f"xxh128:{xxhash.xxh3_128(content).hexdigest()}"


def painted(sides: tuple[int, int]) -> np.ndarray:
    """Where the L is in the stored pixels."""
    width, height = sides
    pixels = rle.decode(rle.frPyObjects([OUTLINE], height, width))[:, :, 0]
    return np.asarray(pixels, dtype=bool)


def turned(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """What any viewer makes of stored pixels."""
    exif, out = Image.Exif(), io.BytesIO()
    exif[ORIENTATION] = orientation
    Image.fromarray(pixels * np.uint8(255)).save(out, "PNG", exif=exif)
    with Image.open(out) as image:
        return np.asarray(ImageOps.exif_transpose(image)) > 0


def bounds(pixels: np.ndarray) -> list[float]:
    rows, columns = np.nonzero(pixels)
    return [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]


def add(owner, number: int, case) -> None:
    kind, shape, orientation, frame = case
    stored = painted(SIDES[shape])
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    image = Image.fromarray(np.where(stored[:, :, None], RED, BLUE).astype(np.uint8))
    name = f"{number}.{kind.lower()}"
    options = {"quality": 95, "subsampling": 0} if kind == "JPEG" else {}
    image.save(owner.pictures / name, kind, exif=exif, **options)
    annotated = stored if frame == "stored" else turned(stored, orientation)
    height, width = annotated.shape
    item = {"id": number, "file_name": name, "width": width, "height": height}
    owner.data["images"].append(item)
    x0, y0, x1, y1 = map(int, bounds(annotated))
    box = [x0, y0, x1 - x0, y1 - y0]
    runs = rle.encode(np.asfortranarray(annotated.astype(np.uint8)))
    packed = {"size": [height, width], "counts": runs["counts"].decode()}
    outline = [OUTLINE] if frame == "stored" else packed
    owner.region(number * 10 + 1, number, bbox=box, segmentation=outline)
    owner.region(number * 10 + 2, number, bbox=box, segmentation=packed)


@pytest.fixture(scope="module")
def output(coco_file, run_build):
    owner = coco_file()
    for number, case in enumerate(CASES, start=1):
        add(owner, number, case)
    return run_build(owner.save())


def name_of(case) -> str:
    return " ".join(map(str, case))


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_box_and_mask_cover_the_red_pixels(output, case):
    number = CASES.index(case) + 1
    (row,) = [row for row in output.rows() if row["id"].split("/")[2] == str(number)]
    image = ImageFeature().decode_example(row["image"])
    assert image.size == (row["width"], row["height"])
    pixels = np.asarray(image.convert("RGB")).astype(int)
    red = pixels[:, :, 0] - pixels[:, :, 2] > 0
    assert np.array_equal(red, turned(painted(SIDES[case[1]]), case[2]))
    assert len(row["regions"]) == 2
    for region in row["regions"]:
        assert region["bbox"] == bounds(red)
        size, counts = region["mask"]["size"], region["mask"]["counts"]
        mask = rle.decode({"size": size, "counts": counts.encode()})
        assert np.array_equal(mask, red)


def test_each_of_several_conversations_turns_with_its_picture(output, coco_file, run_build):
    owner = coco_file()
    for number, case in enumerate(CASES, start=1):
        add(owner, number, case)
    apart = run_build(owner.save(), mode="one_turn_one")
    assert len(apart.rows()) == 2 * len(CASES)
    assert apart.regions() == output.regions()
    assert verify(str(apart.folder)).problems == []


def test_hashes_are_of_the_bytes_as_stored(output):
    for row in output.rows():
        assert row["image_hash"] == hash_of(row["image"]["bytes"])


def test_turns_are_counted_and_nothing_is_rejected(output):
    assert output.rejected() == []
    turns = sum(orientation != 1 for _, _, orientation, _ in CASES)
    assert output.repaired() == {("image", "image_turned"): turns}


def test_verification_finds_nothing(output):
    assert verify(str(output.folder)).problems == []


def test_a_reference_to_a_turned_picture_keeps_the_annotated_frame(coco_file, run_build):
    owner = coco_file()
    add(owner, 1, ("JPEG", "oblong", 6, "stored"))
    (row,) = run_build(owner.save(), images="reference").rows()
    assert (row["width"], row["height"]) == SIDES["oblong"]
    assert row["image"] == {"bytes": None, "path": "1.jpeg"}
    assert row["image_hash"] is None, "the picture need not be opened"


def test_a_reference_of_unstated_size_has_the_upright_one(sample_world, tmp_path, output_of):
    root = shutil.copytree(sample_world / "llava_pretrain", tmp_path / "root" / "llava_pretrain")
    path = min(path for path in root.rglob("*.jpg"))
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    Image.new("RGB", SIDES["oblong"]).save(path, exif=exif)
    recipe = Recipe(sources=(SourceRequest(name="llava_pretrain"),), images="reference")
    launch(make_plan(recipe, str(root.parent), str(tmp_path / "output")), LaunchOptions())
    output = output_of(tmp_path / "output")
    (row,) = [row for row in output.rows() if row["image"]["path"].endswith(path.name)]
    assert row["image"]["bytes"] is None
    assert row["image_hash"] == hash_of(path.read_bytes())
    assert (row["width"], row["height"]) == SIDES["oblong"][::-1]
    assert output.repaired() == {}
    assert verify(str(output.folder), image_root=str(root.parent)).problems == []


REAL = {
    "pil_sample_cmyk.jpg": None,
    "hopper_gray.jpg": None,
    "hopper.gif": None,
    "invalid-exif.jpg": None,
    "hopper_orientation_6.jpg": None,
    "exif_orientation_6_Landscape_6.jpg": None,
    "truncated_jpeg.jpg": "image_truncated",
}


@pytest.mark.parametrize("name", REAL)
def test_real_odd_pictures(samples, coco_file, run_build, name):
    file = samples / "awkward_images" / name
    with Image.open(file) as image:
        (width, height), upright = image.size, image.getexif().get(ORIENTATION, 1) == 1
    owner = coco_file().good()
    odd = {"width": width, "height": height}
    owner.listed(4, "odd.jpg", file.read_bytes(), **odd)  # whatever its format
    output = run_build(owner.save())
    images = [item for item in output.rejected() if item[0] == "image"]
    assert images == ([("image", "4", REAL[name])] if REAL[name] else [])
    assert set(output.images()) == {"1", "2", "3"} | (set() if REAL[name] else {"4"})
    for row in output.rows():
        if row["image"]["path"] == "odd.jpg":
            image = ImageFeature().decode_example(row["image"])
            assert image.size == (row["width"], row["height"])
            assert image.size == ((width, height) if upright else (height, width))
