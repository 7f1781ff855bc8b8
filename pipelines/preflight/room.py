"""The free disk of an output, compared with the approximate size of what a build would write.

A local run also writes what it groups into the output's folder, where it lies until the run ends.
"""

from dataclasses import dataclass

from rich.filesize import decimal

from pipelines.output.reader import is_shard
from pipelines.storage import files
from schemas.errors import BuildError
from schemas.source import SplitInput

# The share of the listed pictures that a build stores in any case, unless a cap drops images: the
# guard, faults, and images without an annotation take less than the rest.
_SURE_SHARE = 0.8
# Of the bytes of annotations, those of the images made of them that wait on disk, compressed: 0.1
# to 0.3 in owners' files.
_WAITING_SHARE = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class SizeEstimate:
    """The approximate size of an output in bytes: as much as is likely, and as is certain."""

    likely: int = 0
    at_least: int = 0
    temporary: int = 0  # of a local run, beside the output until it ends

    def __add__(self, other: "SizeEstimate") -> "SizeEstimate":
        """Return the estimate of two outputs together."""
        return SizeEstimate(
            likely=self.likely + other.likely,
            at_least=self.at_least + other.at_least,
            temporary=self.temporary + other.temporary,
        )


def estimate_size(split: SplitInput, items: int, picture_bytes: float) -> SizeEstimate:
    """Return the approximate size of a split's shards, and of what waits for them.

    Records take about as many bytes as the annotations that they are made of, and each holds a
    picture. Caps make it less: how much, only a reading of the annotations would tell. Under a cap
    on categories, images wait twice: until the caps are known, and by shard.

    Args:
        split: the split.
        items: the number of items in the split's file that have a picture each.
        picture_bytes: the mean size of a picture.
    """
    share = 1.0 if split.limit is None or not items else min(1.0, split.limit / items)
    pictures = round(items * picture_bytes * share) if split.sizing.embed else 0
    paths = [split.file] if split.split in split.files else list(split.files.values())
    records = round(sum(files.size_if_there(path) or 0 for path in paths) * share)
    capped = split.sizing.per_category is not None
    return SizeEstimate(
        likely=pictures + records,
        at_least=0 if capped else round(pictures * _SURE_SHARE),
        temporary=round(records * _WAITING_SHARE) * (2 if capped else 1),
    )


def temporary_bytes(output: str, estimate: SizeEstimate, *, spools: bool) -> int:
    """Return the bytes that a run lets wait beside its output; args as of `check_room`."""
    return estimate.temporary if spools and files.is_local(output) else 0


def check_room(output: str, estimate: SizeEstimate, *, spools: bool) -> str:
    """Check that an output of about a given size fits on the disk of its folder.

    Shards that the output holds already count as free: they are kept, or deleted before others are
    written.

    Args:
        output: the folder of the output.
        estimate: its size.
        spools: whether the run lets what it groups wait in that folder.

    Returns:
        A warning where the output probably does not fit, else an empty text.

    Raises:
        BuildError: the output does not fit.
    """
    free = files.free_bytes(output)
    if free is None:
        return ""
    held, temporary = _shard_bytes(output), temporary_bytes(output, estimate, spools=spools)
    likely = estimate.likely + temporary
    if likely <= free + held:
        return ""
    size = decimal(likely)
    size += f" ({decimal(temporary)} of it while the run lasts)" if temporary else ""
    there = f"{decimal(free)} are free there" + (
        f", beside {decimal(held)} of finished shards" if held else ""
    )
    advice = (
        "Make room, choose an --output elsewhere, take less with --limit N, or store only the "
        "paths of pictures with --images reference"
    )
    if estimate.at_least > free + held:
        raise BuildError(f"{output}: the output takes about {size}, and {there}. {advice}.")
    return f"{output}: the output may take {size}, and {there}. It may not fit. {advice}."


def _shard_bytes(output: str) -> int:
    if not files.exists(output):
        return 0
    return sum(size for name, size in files.walk(output) if is_shard(name))
