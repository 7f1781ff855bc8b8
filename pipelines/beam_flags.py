"""Beam's flags: those it knows pass, any other is an error instead of being ignored."""

from collections.abc import Sequence

from apache_beam.options.pipeline_options import PipelineOptions

from schemas.errors import UsageError


def check_beam_flags(flags: Sequence[str]) -> None:
    """Raise `UsageError` for the first flag that Beam does not know either, or a stray word."""
    unknown: list[str] = []
    PipelineOptions([]).get_all_options(
        add_extra_args_fn=lambda parser: unknown.extend(parser.parse_known_args(list(flags))[1])
    )
    for word in unknown:
        if not word.startswith("-"):
            raise UsageError(f"unexpected {word!r}: it is neither a flag nor the value of one")
        flag = word.partition("=")[0]
        raise UsageError(f"unknown flag {flag}: neither ours (see --help) nor one of Beam's")
