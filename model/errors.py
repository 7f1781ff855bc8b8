"""The errors of a model's input: a picture, a text or a region that its user can correct."""

from collections.abc import Iterator
from contextlib import contextmanager

from schemas.errors import RegionForgeError


class InputError(RegionForgeError, ValueError):
    """A picture, a text or a region that a model cannot take, or that does not fit the others."""


@contextmanager
def naming(subject: str) -> Iterator[None]:
    """Put the subject before the message of an `InputError`: "row 2: region 1: expected ..."."""
    try:
        yield
    except InputError as error:
        raise type(error)(f"{subject}: {error}") from error
