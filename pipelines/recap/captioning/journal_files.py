"""The files of journals, and which one an image belongs to.

The hash of an image decides its journal, independently of the number of shards: a few additional
pictures may change the number of shards, but never the journal of an image.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager

from pipelines.recap.captioning.journal import Journal
from pipelines.shards.options import shard_key
from pipelines.storage import files
from schemas.ids import RANK_BITS
from schemas.layout import JOURNAL_FOLDER
from schemas.sample import ImageInfo

JOURNALS = 64  # journals of a split; a shard holds the journals of its images in memory


def journal_paths(
    output: str, fingerprints: Sequence[str], images: Iterable[ImageInfo]
) -> dict[str, tuple[str, ...]]:
    """Return the paths of the journals of some images of a split, by image id.

    Args:
        output: the folder of the run.
        fingerprints: digests from `fingerprint_of`; new lines go to the journals of the first one.
        images: images of one split.
    """
    paths = {}
    for image in images:
        number = shard_key(image)[1] * JOURNALS >> RANK_BITS
        names = [f"{image.split}-{number:02d}-{digest[:16]}.jsonl" for digest in fingerprints]
        folder = files.join(output, JOURNAL_FOLDER, image.source)
        paths[image.image_id] = tuple(files.join(folder, name) for name in names)
    return paths


@contextmanager
def open_journals(
    paths: Mapping[str, tuple[str, ...]], make: Callable[..., Journal] = Journal
) -> Iterator[dict[str, Journal]]:
    """Open the journals of some images of a split, and yield them by image id.

    Args:
        paths: the paths from `journal_paths`.
        make: function that makes a journal of its path, and of those of an earlier program.
    """
    with ExitStack() as stack:
        opened = {each: stack.enter_context(make(*each)) for each in sorted({*paths.values()})}
        yield {image_id: opened[each] for image_id, each in paths.items()}
