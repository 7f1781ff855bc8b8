"""Preview: a few samples of an output, for the eyes. In the terminal, or as one offline page.

What samples say came from outside: in either place it is shown, never obeyed.
"""

from pipelines.preview.choose import choose
from pipelines.preview.facts import build_facts
from pipelines.preview.page import write_page
from pipelines.preview.terminal import print_samples

__all__ = ["build_facts", "choose", "print_samples", "write_page"]
