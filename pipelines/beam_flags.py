"""Beam's flags: those it knows pass, any other is an error instead of being ignored."""

from collections.abc import Sequence

from apache_beam.options.pipeline_options import PipelineOptions

from schemas.errors import UsageError


def check_beam_flags(flags: Sequence[str]) -> None:
    """Raise `UsageError` for the first flag that Beam does not know either."""
    known = PipelineOptions([])
    unknown: list[str] = []
    if flags:
        options = PipelineOptions(list(flags))
        taken = options.get_all_options(retain_unknown_options=False, drop_default=True)
        every = options.get_all_options(retain_unknown_options=True, drop_default=True)
        unknown = sorted(every.keys() - taken.keys())
    del known
    if unknown:
        raise UsageError(
            f"unknown flag --{unknown[0]}: neither ours (see --help) nor one of Beam's"
        )
