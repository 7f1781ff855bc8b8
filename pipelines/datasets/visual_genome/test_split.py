"""Visual Genome's split to test on: the images of a list, or so many by hash.

The owner divides the images into no splits. `test_ids.txt` beside the owner's files names those
to test on, an image id a line. Without it they are those whose ids have the smallest hashes: 5,000
of all 108,077, and of fewer in proportion; always the same, whatever the seed.
"""

from collections.abc import Collection

from pipelines.datasets.common.raw_items import ItemId
from schemas.errors import InputFileError
from schemas.ids import rank

TEST_IDS = "test_ids"  # the list's role
TEST_LIST = f"{TEST_IDS}.txt"
TEST_IMAGES = 5_000  # of
_ALL_IMAGES = 108_077


def test_ids(image_ids: Collection[ItemId], listed: bytes | None, path: str) -> frozenset[ItemId]:
    """Return the ids of the images to test on.

    Args:
        image_ids: all that `image_data.json` has, whether or not their pictures are there; not
            needed with a list.
        listed: content of the list, if there is one. It may name images that are not there.
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
