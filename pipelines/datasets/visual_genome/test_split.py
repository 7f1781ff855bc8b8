"""Visual Genome's test split: the images of a list, or a number of images chosen by hash.

The owner defines no splits. `test_ids.txt` beside the owner's files names the images
of the test split, an image id per line. Without it, the images with the smallest hashes of ids
are taken: 5,000 of all 108,077, and of fewer in proportion; the same for every seed.
"""

from collections.abc import Collection

from pipelines.datasets.common.raw_items import ItemId
from schemas.errors import InputFileError
from schemas.ids import rank

TEST_IDS = "test_ids"  # the role of the list
TEST_LIST = f"{TEST_IDS}.txt"
TEST_IMAGES = 5_000  # of
_ALL_IMAGES = 108_077


def test_ids(image_ids: Collection[ItemId], listed: bytes | None, path: str) -> frozenset[ItemId]:
    """Return the ids of the images of the test split.

    Args:
        image_ids: all ids in `image_data.json`, whether or not their pictures exist; not
            needed with a list.
        listed: the content of the list, or None; the list may name images that do not exist.
        path: the path of the list, for messages.

    Raises:
        InputFileError: the list cannot be used; the message names the line and the expected form.
    """
    if listed is not None:
        return frozenset(_listed(listed, path))
    number = min(TEST_IMAGES, round(len(image_ids) * TEST_IMAGES / _ALL_IMAGES))
    ranked = sorted((rank("visual_genome", "test", item), str(item), item) for item in image_ids)
    return frozenset(item for *_, item in ranked[:number])


def _listed(content: bytes, path: str) -> list[ItemId]:
    try:
        lines = content.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise _unusable(path, f"is not text: {error}") from None
    image_ids: list[ItemId] = []
    for number, line in enumerate(lines, start=1):
        word = line.strip()
        if word and not (word.isascii() and word.isdecimal()):
            raise _unusable(path, f"has {word[:80]!r} in line {number}")
        if word:
            image_ids.append(int(word))
    if not image_ids:
        raise _unusable(path, "is empty")
    return image_ids


def _unusable(path: str, problem: str) -> InputFileError:
    return InputFileError(
        f"{path} {problem}. Expected the ids of Visual Genome's images to test on, one a line, "
        "such as 2315893. Without the file they are chosen by hash."
    )
