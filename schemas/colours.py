"""Colours of regions, wherever they are shown, and of the pages that show them."""

# Colours that most people can distinguish; black text is readable on each.
COLOURS = (
    "#ff6b6b", "#5aa9ff", "#ffd43b", "#4ade80", "#e58cff",
    "#ff9f45", "#34d8dc", "#b5a1ff", "#c5e84d", "#ffb3c7",
)  # fmt: skip

# The variables of our pages' style sheets, for light and for dark surroundings.
PALETTE = """
:root {
  color-scheme: light dark;
  --ground: #f3f4f7; --card: #ffffff; --ink: #1a1d23; --soft: #626a78; --line: #e1e4ea;
  --user: #e3edff; --assistant: #f1f2f5; --accent: #2f6bff; --good: #178a4c; --bad: #c9382b;
  --lost: #f0b4ab;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #0e1116; --card: #171b22; --ink: #e8eaee; --soft: #98a1b0; --line: #2a303a;
    --user: #1d3155; --assistant: #222832; --accent: #7fa6ff; --good: #4fcf8b; --bad: #ff8375;
    --lost: #70392f;
  }
}
"""


def colour_of(number: int) -> str:
    """Return the colour of a region, `#rrggbb`; they repeat after ten.

    Args:
        number: the region's, from 1.
    """
    return COLOURS[(number - 1) % len(COLOURS)]
