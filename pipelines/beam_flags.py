"""Beam's flags: those it knows pass, any other is an error instead of being ignored."""

from collections.abc import Sequence

from apache_beam.options.pipeline_options import PipelineOptions

from schemas.errors import UsageError


def check_beam_flags(flags: Sequence[str]) -> None:
    """Raise `UsageError` for the first flag that Beam does not know either."""
    options = PipelineOptions(list(flags))
    known = options.get_all_options(drop_default=True)
    given = options.get_all_options(drop_default=True, retain_unknown_options=True)
    for flag in sorted(given.keys() - known.keys()):
        raise UsageError(f"unknown flag --{flag}: neither ours (see --help) nor one of Beam's")
