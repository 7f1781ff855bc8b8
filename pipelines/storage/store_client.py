"""The clients of object stores: which library opens a scheme, with which settings and errors.

Credentials are those of the store's own tools: environment variables, profiles, the machine's role.

Beam is imported only where its flags are read: commands that run no pipeline start in half the time
without it.
"""

import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from errno import EACCES, EIO, ENOENT
from functools import cache, lru_cache
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from schemas.console.secrets import masked

if TYPE_CHECKING:
    from apache_beam.options.pipeline_options import PipelineOptions

_FILE_SYSTEMS = "apache_beam.io.filesystems"  # until it is imported, no flag holds
_CONNECT_SECONDS = 10
_REASON_CHARACTERS = 300
_WITHOUT_CREDENTIALS = "credentials"  # a word in the errors of all libraries where there are none


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """The library of a kind of object store."""

    extra: str  # the extra of this package that installs it
    files: str  # the name of its class for fsspec
    settings: "Callable[[PipelineOptions], Mapping[str, Any]]"
    errors: tuple[str, ...]  # the names of its errors that are no `OSError`


def _s3_settings(options: "PipelineOptions") -> dict[str, Any]:
    from apache_beam.options.pipeline_options import S3Options

    given = options.view_as(S3Options)
    region = {"region_name": given.s3_region_name, "verify": given.s3_verify}
    return {
        "max_concurrency": 1,  # more would cost a request for the size before each read
        "endpoint_url": given.s3_endpoint_url,
        "use_ssl": not given.s3_disable_ssl,
        "client_kwargs": {name: value for name, value in region.items() if value is not None},
        "config_kwargs": {"connect_timeout": _CONNECT_SECONDS},
    }


def _azure_settings(options: "PipelineOptions") -> dict[str, Any]:
    from apache_beam.options.pipeline_options import AzureOptions

    endpoint = options.view_as(AzureOptions).blob_service_endpoint
    if not endpoint:
        return {}
    host = urlsplit(endpoint).netloc
    return {"account_host": host, "account_name": host.partition(".")[0]}


STORES = {
    "az": Store(
        extra="azure",
        files="adlfs:AzureBlobFileSystem",
        settings=_azure_settings,
        errors=("azure.core.exceptions:AzureError", "aiohttp:ClientError"),
    ),
    "gs": Store(
        extra="gcp",
        files="gcsfs.core:GCSFileSystem",  # `gcsfs` itself has one that asks for kinds of buckets
        settings=lambda options: {},
        errors=(
            "aiohttp:ClientError",
            "gcsfs.retry:HttpError",
            "google.auth.exceptions:GoogleAuthError",
        ),
    ),
    "s3": Store(
        extra="s3",
        files="s3fs:S3FileSystem",
        settings=_s3_settings,
        errors=(
            "aiohttp:ClientError",
            "botocore.exceptions:BotoCoreError",
            "botocore.exceptions:ClientError",
        ),
    ),
}


def scheme_of(path: str) -> str:
    """Return the scheme of a store's path, e.g. `s3`."""
    return path.partition("://")[0]


def key_of(path: str) -> str:
    """Return a store's path without its scheme, which is the bucket and the name of an object."""
    return path.partition("://")[2]


def client_of(path: str) -> Any:
    """Return the client of a path's store; each process has one for a store.

    Beam's flags configure it: they are known to the process of a command line, and Beam hands
    them to the workers of any engine.
    """
    scheme = scheme_of(path)
    # A client is kept for its settings, but no listing, which would hide what others write.
    library = resolve_name(STORES[scheme].files)
    return library(use_listings_cache=False, **_settings(scheme, _options()))


def flags_may_hold() -> bool:
    """Return whether Beam, which keeps the flags for stores, was imported in this process."""
    return _FILE_SYSTEMS in sys.modules


def option_kinds() -> tuple["type[PipelineOptions]", ...]:
    """Return Beam's classes of flags for stores."""
    from apache_beam.options.pipeline_options import AzureOptions, S3Options

    return S3Options, AzureOptions


def store_options() -> dict[str, Any]:
    """Return the options for stores that hold in this process, by name."""
    values: dict[str, Any] = {}
    if not flags_may_hold():
        return values
    for kind in option_kinds():
        values |= _options().view_as(kind).get_all_options(drop_default=True, current_only=True)
    return values


def use_store_options(values: Mapping[str, Any]) -> None:
    """Have this process use the options that `store_options` returned in another one."""
    if not values and not flags_may_hold():
        return
    from apache_beam.io.filesystems import FileSystems
    from apache_beam.options.pipeline_options import PipelineOptions

    FileSystems.set_options(PipelineOptions.from_dictionary(dict(values)))


def _options() -> "PipelineOptions":
    from apache_beam.io.filesystems import FileSystems

    # Beam's own file systems take their options from there.
    return getattr(FileSystems, "_pipeline_options", None) or _no_flags()


@cache
def _no_flags() -> "PipelineOptions":
    from apache_beam.options.pipeline_options import PipelineOptions

    return PipelineOptions([])


@lru_cache(maxsize=16)
def _settings(scheme: str, options: "PipelineOptions") -> Mapping[str, Any]:
    return STORES[scheme].settings(options)


@contextmanager
def asking(path: str) -> Iterator[None]:
    """Turn any error of a store's library into an `OSError` of one line, with the path.

    Raises:
        FileNotFoundError: there is no such object, folder or bucket.
        PermissionError: there are no credentials, or they do not suffice.
        OSError: anything else.
    """
    errors = _errors(scheme_of(path))
    try:
        yield
    except FileExistsError:
        raise
    except errors as error:
        raise _as_os_error(error, path) from error


@cache
def _errors(scheme: str) -> tuple[type[Exception], ...]:
    return OSError, ValueError, *map(resolve_name, STORES[scheme].errors)


def _as_os_error(error: Exception, path: str) -> OSError:
    text = (isinstance(error, OSError) and error.strerror) or str(error)
    # An answer without a text of its own comes as its status after a comma.
    first = re.sub(r"^, (?=\d+$)", "status ", next(iter(text.splitlines()), ""))
    reason = masked(first)[:_REASON_CHARACTERS] or type(error).__name__
    if isinstance(error, FileNotFoundError):
        return FileNotFoundError(ENOENT, "no such object, folder or bucket", path)
    denied = getattr(error, "code", None) in (401, 403) or reason.startswith("Forbidden")
    if isinstance(error, PermissionError) or denied or _WITHOUT_CREDENTIALS in reason.lower():
        return PermissionError(EACCES, reason, path)
    return OSError(getattr(error, "errno", None) or EIO, reason, path)
