"""One bad picture among an owner's: rejected with its reason, while all the others come through."""

import errno
import io
import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from pipelines.storage import files
from pipelines.storage.files import FileStore
from pipelines.verify import verify
from schemas.ledger import Stage
from schemas.limits import MAX_IMAGE_PIXELS
from schemas.rejection import Kind

GOOD = {"11", "12", "21", "22", "31", "32"}
SIZE = (48, 32)


def encoded(kind: str = "JPEG", mode: str = "RGB", size=SIZE, **options) -> bytes:
    out = io.BytesIO()
    Image.new(mode, size).save(out, kind, **options)
    return out.getvalue()


def noise(**options) -> bytes:
    out = io.BytesIO()
    values = np.random.default_rng(0).integers(0, 256, (SIZE[1], SIZE[0], 3), dtype=np.uint8)
    Image.fromarray(values).save(out, "JPEG", **options)
    return out.getvalue()


def animated(kind: str) -> bytes:
    other = Image.new("RGB", SIZE, "red")
    return encoded(kind, save_all=True, append_images=[other])


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, bits: int) -> bytes:
    """A PNG of one colour, as small as can be."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, 0))
    pixels = zlib.compress(bytes((1 + -(-width * bits // 8)) * height))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


CONTENTS = {
    "empty": (lambda: b"", "image_empty"),
    "cut short": (lambda: noise()[:-200], "image_truncated"),
    "cut within its header": (lambda: noise()[:200], "image_truncated"),
    "cut PNG": (lambda: encoded("PNG")[:-30], "image_truncated"),
    "text": (lambda: b"<html>404 Not Found</html>", "image_not_an_image"),
    "JSON": (lambda: b'{"error": "quota"}', "image_not_an_image"),
    "a format we do not take": (lambda: encoded("TIFF"), "image_not_an_image"),
    "SVG": (lambda: b'<svg xmlns="http://www.w3.org/2000/svg"/>', "image_not_an_image"),
    "damaged header": (lambda: noise()[:4] + bytes(50) + noise()[54:], "image_unreadable"),
    "animated GIF": (lambda: animated("GIF"), "image_animated"),
    "animated PNG": (lambda: animated("PNG"), "image_animated"),
    "animated WEBP": (lambda: animated("WEBP"), "image_animated"),
    "16-bit PNG": (lambda: png(*SIZE, 16), "image_16_bit"),
    "too many pixels": (
        lambda: png(10_000, MAX_IMAGE_PIXELS // 10_000 + 1, 1),
        "image_over_pixel_cap",
    ),
    "other size": (lambda: encoded(size=(48, 31)), "image_size_mismatch"),
    "sides exchanged": (lambda: encoded(size=SIZE[::-1]), "image_size_mismatch"),
}

KEPT = {
    "grayscale": lambda: encoded(mode="L"),
    "CMYK": lambda: encoded(mode="CMYK"),
    "progressive": lambda: noise(progressive=True),
    "a broken EXIF block": lambda: noise(exif=b"Exif\0\0MM\0*"),
    "palette PNG": lambda: encoded("PNG", "P"),
    "transparent PNG": lambda: encoded("PNG", "RGBA"),
    "bilevel PNG": lambda: encoded("PNG", "1"),
    "still GIF": lambda: encoded("GIF", "P"),
    "WEBP": lambda: encoded("WEBP"),
    "BMP": lambda: encoded("BMP"),
}

UNSAFE = [
    "../pictures/1.jpg",
    "sub/../../pictures/1.jpg",
    "/etc/passwd",
    "C:/pictures/1.jpg",
    "..\\1.jpg",
    "sub\\1.jpg",
    "http://host.invalid/1.jpg",
    "gs://bucket/1.jpg",
    "file:///etc/passwd",
    "1.jpg\0.png",
    "1\n.jpg",
    "",
    ".",
]


ABSENT = ["99.jpg", "1.JPGG", "sub/1.jpg", "1.jpg/1.jpg", "a" * 5_000]

BAD_SIZES = [
    {"width": 65_501, "height": 32},
    {"width": 48, "height": 10**30},
]

WRONG_TYPES: list[dict[str, object]] = [
    {"file_name": 4}, {"file_name": None}, {"width": "wide"}, {"height": 32.5}, {"width": [48]},
]  # fmt: skip


def check_that_only_these_are_missing(output, reasons: dict[int, str]):
    """Check that just these pictures are rejected, with a region each, and for these reasons."""
    rejected = output.rejected()
    assert rejected == [
        ("image", str(number), reasons[number]) for number in sorted(reasons, key=str)
    ]
    ((_, stages),) = output.ledger().sources["coco"].items()
    accounts = [stages[stage][Kind.ANNOTATION] for stage in (Stage.READ, Stage.WRITE)]
    assert sum(account.with_image for account in accounts) == len(reasons)
    assert output.regions().keys() == GOOD
    assert output.images() == ["1", "2", "3"]
    output.ledger()


def check_that_only_picture_4_is_missing(output, reason):
    check_that_only_these_are_missing(output, {4: reason})


def test_pictures_of_bad_content(coco_file, run_build):
    owner, reasons = coco_file().good(), {}
    for number, (content, reason) in enumerate(CONTENTS.values(), start=4):
        owner.listed(number, f"{number}.jpg", content())
        reasons[number] = reason
    check_that_only_these_are_missing(run_build(owner.save()), reasons)


def test_unusual_pictures_are_kept(coco_file, run_build):
    owner = coco_file().good()
    for number, content in enumerate(KEPT.values(), start=4):
        owner.listed(number, f"{number}.jpg", content())
    output = run_build(owner.save())
    assert output.regions().keys() == GOOD | {f"{number}1" for number in range(4, 4 + len(KEPT))}
    assert output.rejected() == []
    for row in output.rows():
        assert (row["width"], row["height"]) == SIZE
        with Image.open(io.BytesIO(row["image"]["bytes"])) as image:
            image.load()
            assert image.size == SIZE


def test_all_at_once_and_verified(coco_file, run_build):
    owner = coco_file().good()
    good = [content() for content in KEPT.values()]
    bad = [content() for content, _ in CONTENTS.values()]
    for number, content in enumerate((*good, *bad), start=4):
        owner.listed(number, f"{number}.jpg", content)
    output = run_build(owner.save(), shard_bytes=1_000)
    images = [item for item in output.rejected() if item[0] == "image"]
    assert sorted(reason for *_, reason in images) == sorted(r for _, r in CONTENTS.values())
    assert len(output.regions()) == len(GOOD) + len(KEPT)
    assert verify(str(output.folder)).problems == []


@pytest.mark.parametrize(
    ("names", "reason"), [(UNSAFE, "image_unsafe_path"), (ABSENT, "image_missing")]
)
def test_file_names_that_lead_to_no_picture(coco_file, run_build, names, reason):
    owner = coco_file().good()
    for number, name in enumerate(names, start=4):
        owner.listed(number, name, None)
    reasons = dict.fromkeys(range(4, 4 + len(names)), reason)
    check_that_only_these_are_missing(run_build(owner.save()), reasons)


def test_what_is_no_file(coco_file, run_build):
    owner = coco_file().good()
    (owner.pictures / "folder.jpg").mkdir()
    os.mkfifo(owner.pictures / "pipe.jpg")  # opening it would wait for ever
    (owner.pictures / "dangling.jpg").symlink_to("nowhere")
    names = ("folder.jpg", "pipe.jpg", "dangling.jpg")
    for number, name in enumerate(names, start=4):
        owner.listed(number, name, None)
    output = run_build(owner.save())
    assert [item for item in output.rejected() if item[0] == "image"] == [
        ("image", str(number), "image_missing") for number in (4, 5, 6)
    ]
    assert output.regions().keys() == GOOD
    output.ledger()


def test_links_that_go_round(coco_file, run_build):
    owner = coco_file().good()
    for name in ("here", "also"):
        (owner.pictures / name).symlink_to(owner.pictures, target_is_directory=True)
    (owner.pictures / "itself").symlink_to(owner.pictures / "itself")
    output = run_build(owner.save())
    assert output.regions().keys() == GOOD
    assert output.rejected() == []


def test_pictures_in_folders_and_behind_links(coco_file, run_build, tmp_path):
    owner = coco_file().good()
    (tmp_path / "elsewhere").mkdir()
    (owner.pictures / "1.jpg").rename(tmp_path / "elsewhere" / "1.jpg")
    (owner.pictures / "sub").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    owner.data["images"][0]["file_name"] = "./sub//1.jpg"
    output = run_build(owner.save())
    assert output.regions().keys() == GOOD
    assert "sub/1.jpg" in {row["image"]["path"] for row in output.rows()}


@pytest.mark.parametrize(
    ("changes", "reason"), [(BAD_SIZES, "image_bad_size"), (WRONG_TYPES, "malformed")]
)
def test_items_with_impossible_values(coco_file, run_build, changes, reason):
    owner = coco_file().good()
    for number, values in enumerate(changes, start=4):
        owner.listed(number, f"{number}.jpg", noise(), **values)
    reasons = dict.fromkeys(range(4, 4 + len(changes)), reason)
    check_that_only_these_are_missing(run_build(owner.save()), reasons)


def test_an_item_without_a_name(coco_file, run_build):
    owner = coco_file().good()
    owner.listed(4, "4.jpg", noise())
    del owner.data["images"][-1]["file_name"]
    check_that_only_picture_4_is_missing(run_build(owner.save()), "malformed")


def test_an_image_without_an_id(coco_file, run_build):
    owner = coco_file().good()
    owner.listed(4, "4.jpg", noise())
    del owner.data["images"][3]["id"]
    output = run_build(owner.save())
    assert output.rejected() == [
        ("annotation", "41", "unknown_image"),
        ("image", "images[3]", "malformed"),
    ]
    assert output.regions().keys() == GOOD


def test_a_picture_that_grows_while_it_is_read(coco_file, run_build, monkeypatch):
    owner = coco_file().good()
    owner.listed(4, "4.jpg", noise())
    listed = FileStore.sizes

    def shorter(store, folder):
        sizes = dict(listed(store, folder))
        return sizes | {name: size - 1 for name, size in sizes.items() if name == "4.jpg"}

    monkeypatch.setattr(FileStore, "sizes", shorter)
    check_that_only_picture_4_is_missing(run_build(owner.save()), "image_unreadable")


def test_a_picture_that_cannot_be_read(coco_file, run_build, monkeypatch):
    owner = coco_file().good()
    owner.listed(4, "4.jpg", noise())
    read_into = files.read_into

    def fail(path, room):
        if path.endswith("/4.jpg"):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return read_into(path, room)

    monkeypatch.setattr("pipelines.storage.files.read_into", fail)
    check_that_only_picture_4_is_missing(run_build(owner.save()), "image_unreadable")


def test_a_file_far_too_large_for_a_picture_is_not_read(coco_file, run_build):
    owner = coco_file().good()
    owner.listed(4, "4.jpg", b"")
    os.truncate(owner.pictures / "4.jpg", 2**40)  # takes no room on the disk
    check_that_only_picture_4_is_missing(run_build(owner.save()), "image_over_byte_cap")
