"""Verify's look at one picture."""

from io import BytesIO

import pytest
from PIL import Image
from xxhash import xxh3_128

from pipelines.verify.picture import Roots, picture_problem

SIZE = (16, 9)  # width, height


def jpeg(exif: bytes = b"", orientation: int = 1) -> bytes:
    content, tags = BytesIO(), Image.Exif()
    tags[0x0112] = orientation
    Image.new("RGB", SIZE).save(content, "JPEG", exif=exif or tags, dpi=(72, 72))
    return content.getvalue()


def row(
    content: bytes | None,
    path: str | None = "a.jpg",
    size: tuple[int, int] = SIZE,
    image_hash: str | None = None,
):
    image = {"bytes": content, "path": path}
    return {"image": image, "width": size[0], "height": size[1], "image_hash": image_hash}


def hash_of(content: bytes) -> str:
    return f"xxh128:{xxh3_128(content).hexdigest()}"


def test_a_record_without_a_picture():
    nothing = {"image": None, "width": None, "height": None}
    assert picture_problem(nothing, "embed", Roots()) is None


def test_a_picture_that_is_right():
    content = jpeg()
    assert picture_problem(row(content, image_hash=hash_of(content)), "embed", Roots()) is None


def test_a_hash_that_is_not_of_these_bytes(tmp_path):
    other, content = hash_of(b"other"), jpeg()
    line = f"image_hash is {other!r}, the image has {hash_of(content)}"
    assert picture_problem(row(content, image_hash=other), "embed", Roots()) == line
    lacking = f"image_hash is None, the image has {hash_of(content)}"
    assert picture_problem(row(content), "embed", Roots()) == lacking
    (tmp_path / "a.jpg").write_bytes(content)
    root = Roots(referenced=str(tmp_path))
    assert picture_problem(row(None, image_hash=other), "reference", root) == line
    assert picture_problem(row(None, image_hash=hash_of(content)), "reference", root) is None
    assert picture_problem(row(None), "reference", root) is None


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (row(jpeg()[:-300]), "image_truncated: "),
        (row(b"no picture"), "image_not_an_image: begins with b'no picture'"),
        (row(None), "image_empty: 0 bytes"),
        (row(jpeg(), size=(9, 16)), "image is 16 x 9 pixels, the record says 9 x 16"),
        (row(jpeg(orientation=6), size=(9, 16)), "image has the EXIF orientation 6, expected 1"),
        (row(jpeg(b"Exif\0\0rubbish!")), "image has EXIF data that does not parse, expected none"),
        (row(jpeg(), None), "image path: file_name '', expected a path below the image folder"),
        (row(jpeg(), "/etc/passwd"), "image path: file_name '/etc/passwd', expected a path below"),
    ],
)
def test_a_picture_that_is_wrong(record, expected):
    assert str(picture_problem(record, "embed", Roots())).startswith(expected)


@pytest.mark.parametrize("size", [SIZE, (9, 16)])
def test_a_referenced_picture_may_be_annotated_in_either_frame(tmp_path, size):
    (tmp_path / "a.jpg").write_bytes(jpeg(orientation=6))
    assert (
        picture_problem(row(None, size=size), "reference", Roots(referenced=str(tmp_path))) is None
    )


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (jpeg(), "image is 16 x 9 pixels, the record says 9 x 16"),
        (jpeg()[:-300], "image_truncated: "),
        (None, "image cannot be read: [Errno 2] No such file or directory: "),
    ],
)
def test_a_referenced_picture_that_is_wrong(tmp_path, content, expected):
    if content is not None:
        (tmp_path / "a.jpg").write_bytes(content)
    record = row(None, size=(9, 16))
    assert str(picture_problem(record, "reference", Roots(referenced=str(tmp_path)))).startswith(
        expected
    )
    assert picture_problem(record, "reference", Roots()) is None
