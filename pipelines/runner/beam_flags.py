"""The check of the flags for Beam on a command line: unknown flags are errors, not ignored.

Some flags of Beam also configure the access to remote files, which is needed before a pipeline.
"""

from collections.abc import Callable, Sequence

from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import DirectOptions, PipelineOptions

from schemas.errors import UsageError


def check_beam_flags(flags: Sequence[str], unknown_flag: Callable[[str], str]) -> None:
    """Check the flags that go to Beam.

    Args:
        flags: words of a command line that are not flags of ours.
        unknown_flag: function that says of a flag that there is none like it.

    Raises:
        UsageError: Beam does not know a flag, or it is set by this package, or a word is stray.
    """
    unknown: list[str] = []
    PipelineOptions([]).get_all_options(
        add_extra_args_fn=lambda parser: unknown.extend(parser.parse_known_args(list(flags))[1])
    )
    for word in unknown:
        if not word.startswith("-"):
            raise UsageError(
                f"unexpected {word!r}: it is neither a flag nor the value of one; several "
                "values of a flag are parted by commas, as in --sources coco,lvis"
            )
        raise UsageError(f"{unknown_flag(word)} Beam has none of that name either")
    direct, unset = (PipelineOptions(words).view_as(DirectOptions) for words in (list(flags), []))
    for name in ("direct_num_workers", "direct_running_mode"):
        if getattr(direct, name) != getattr(unset, name):
            raise UsageError(f"--{name} is not for you to choose: --workers N is")


def open_remote_files(flags: Sequence[str]) -> None:
    """Configure the access to remote files from Beam's flags; s3:// paths need this call."""
    FileSystems.set_options(PipelineOptions(list(flags)))
