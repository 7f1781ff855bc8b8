"""Preview: a few records of an output, shown in the terminal or as one offline HTML page.

The text of records is foreign: it is shown, never interpreted as markup or control codes.
"""

from pipelines.preview.choose import choose
from pipelines.preview.facts import build_facts
from pipelines.preview.page import write_page
from pipelines.preview.terminal import print_samples

__all__ = ["build_facts", "choose", "print_samples", "write_page"]
