"""Colours of regions, wherever they are shown."""

# Colours that most people can distinguish; black text is readable on each.
COLOURS = (
    "#ff6b6b", "#5aa9ff", "#ffd43b", "#4ade80", "#e58cff",
    "#ff9f45", "#34d8dc", "#b5a1ff", "#c5e84d", "#ffb3c7",
)  # fmt: skip


def colour_of(number: int) -> str:
    """Return the colour of a region, `#rrggbb`; they repeat after ten.

    Args:
        number: the region's, from 1.
    """
    return COLOURS[(number - 1) % len(COLOURS)]
