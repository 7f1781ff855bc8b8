"""Text that would steer a terminal, and the check that nothing printed does."""

import unicodedata

# Colours, a link, the clipboard, a one-byte CSI, a right-to-left override, a return.
HOSTILE = "\x1b[2J\x1b]8;;e:x\x1b\\y\x1b]52;c;eA==\x07\x9b31m\u202e\u200b\r"


def assert_readable(printed: str) -> None:
    """Check that what was printed holds no hidden character but line ends."""
    hidden = {char for char in printed if unicodedata.category(char) in {"Cc", "Cf", "Cs"}}
    assert hidden <= {"\n"}, printed
