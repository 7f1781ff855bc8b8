"""The errors of conversations that cannot be encoded. Each message begins with the row's name."""

from schemas.errors import RegionForgeError


class RowError(RegionForgeError):
    """A row whose conversation cannot become token ids."""


class WrongTurns(RowError):
    """A row whose roles are not user and assistant in turn."""


class RegionMismatch(RowError):
    """A row that mentions a region it lacks, or never mentions one that it has."""


class RowTooLong(RowError):
    """A row whose first question and answer alone exceed the maximal length."""
