"""The check of the flags for Beam on a command line: unknown flags are errors, not ignored.

Some flags of Beam also configure the access to object stores. They are taken by commands that run
no pipeline, too.
"""

import argparse
from collections.abc import Callable, Sequence
from contextlib import suppress

from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import DirectOptions, PipelineOptions, PortableOptions

from pipelines.runner.services import server_options
from pipelines.storage.store_client import option_kinds
from schemas.errors import UsageError

# Flags that would show a key to everybody on the machine, or do nothing; and what does it instead.
_REFUSED = {
    "s3_access_key_id": "AWS_ACCESS_KEY_ID, or a profile",
    "s3_secret_access_key": "AWS_SECRET_ACCESS_KEY, or a profile",
    "s3_session_token": "AWS_SESSION_TOKEN, or a profile",
    "s3_api_version": "nothing: there is one version",
    "azure_connection_string": "AZURE_STORAGE_CONNECTION_STRING",
    "azure_managed_identity_client_id": "AZURE_CLIENT_ID",
}


def check_beam_flags(flags: Sequence[str], unknown_flag: Callable[[str], str]) -> None:
    """Check the flags that go to Beam.

    Args:
        flags: words of a command line that are not flags of ours.
        unknown_flag: function that says of a flag that there is none like it.

    Raises:
        UsageError: Beam does not know a flag, or it is set by this package, or a word is stray, or
            a flag for a store is refused.
    """
    unknown = _unknown_words(flags, ())
    endpoint = PipelineOptions(list(flags)).view_as(PortableOptions).job_endpoint
    if any(word.startswith("-") for word in unknown) and endpoint and endpoint != "embed":
        unknown = _unknown_words(flags, server_options(endpoint))
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
    _check_store_values(flags)


def _unknown_words(flags: Sequence[str], more: Sequence[str]) -> list[str]:
    """Return the words that are neither options of Beam, nor more ones, nor values of either."""
    unknown: list[str] = []

    def read(parser: argparse.ArgumentParser) -> None:
        for name in more:
            with suppress(argparse.ArgumentError):  # it is one of Beam's, too
                parser.add_argument(f"--{name}", nargs="?")
        unknown.extend(parser.parse_known_args(list(flags))[1])

    PipelineOptions([]).get_all_options(add_extra_args_fn=read)
    return unknown


def check_store_flags(flags: Sequence[str], unknown_flag: Callable[[str], str]) -> None:
    """Check the flags for stores of a command that runs no pipeline.

    Args:
        flags: words of a command line that are not flags of ours.
        unknown_flag: function that says of a word that it is not expected.

    Raises:
        UsageError: a word is no flag for a store, or is one that is refused.
    """
    if unknown := _store_values(flags)[1]:
        raise UsageError(unknown_flag(unknown[0]))
    _check_store_values(flags)


def _store_values(flags: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    """Return the values of flags for stores, and the other words."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    for kind in option_kinds():
        for name, unset in kind([]).get_all_options(current_only=True).items():
            parser.add_argument(f"--{name}", action="store_true" if unset is False else "store")
    return parser.parse_known_args(list(flags))


def _check_store_values(flags: Sequence[str]) -> None:
    values = _store_values(flags)[0]
    for name, instead in _REFUSED.items():
        if getattr(values, name) is not None:
            raise UsageError(f"--{name} is not taken on a command line; set {instead}")


def open_remote_files(flags: Sequence[str]) -> None:
    """Configure the access to object stores from Beam's flags."""
    FileSystems.set_options(PipelineOptions(list(flags)))
