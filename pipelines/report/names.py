"""The names of a report's files, and the folder that they are written into.

index.html             figures of the whole output, and links to all pages
judge.html             captions of all scores, to judge a fair sample
captions-0001.html     captions in the order of their scores
records-0001.html      whole records, one at a time
"""

import re

from pipelines.storage import files
from schemas.errors import UsageError

INDEX = "index.html"
JUDGE = "judge.html"
_PAGE = re.compile(r"index\.html|judge\.html|(captions|records)-\d{4,}\.html")


def captions_page(number: int) -> str:
    """Return the name of a page of captions; numbers begin with 1."""
    return f"captions-{number:04d}.html"


def records_page(number: int) -> str:
    """Return the name of a page of records; numbers begin with 1."""
    return f"records-{number:04d}.html"


def empty_folder(folder: str) -> None:
    """Delete the pages of an earlier report from a folder, which may not be there.

    Raises:
        UsageError: the folder holds other files, too.
    """
    names = [name for name, _ in files.walk(folder)] if files.exists(folder) else []
    if others := [name for name in names if not _PAGE.fullmatch(name)]:
        raise UsageError(
            f"--to {folder}: holds other files, such as {min(others)}; expected a folder that is "
            "empty, not there, or of an earlier report"
        )
    files.delete([files.join(folder, name) for name in names])
