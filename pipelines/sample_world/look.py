"""The look of a sample world: sides of pictures, and number, size and kinds of things in them.

`HARD` is the world of demos and tests: many kinds of things in all sizes, and the oddities of real
data. `PROOF` is a world that a tiny model can learn in minutes: few kinds of things, all large
enough to tell apart, and no oddities.
"""

from dataclasses import dataclass

from pipelines.sample_world.shapes import COLOURS, SHAPES


@dataclass(frozen=True, kw_only=True)
class Look:
    """The ranges from which scenes are laid out."""

    frames: tuple[tuple[int, int], ...] = ()  # w, h; pixels. Empty: those of each data set
    shapes: tuple[str, ...] = tuple(SHAPES)
    colours: tuple[str, ...] = tuple(COLOURS)
    things: tuple[int, int] = (3, 9)  # least and most in a picture
    radii: tuple[float, float] = (11, 100)  # pixels, where the picture's shorter side is 240
    covered_at_most: float = 0.25  # share of the smaller of two boxes
    odd: bool = True  # whether rare cases of real data are planted

    @property
    def names(self) -> list[str]:
        """The names of all kinds of things, such as "red star"."""
        return [f"{colour} {shape}" for shape in self.shapes for colour in self.colours]


HARD = Look()

# Radii of 9 to 14 pixels in pictures of 72.
PROOF = Look(
    frames=((72, 72),),
    shapes=("circle", "crescent", "triangle", "square", "star", "cross", "arrow", "heart"),
    colours=("red", "orange", "yellow", "green", "blue", "purple", "black", "white"),
    things=(3, 5),
    radii=(30, 140 / 3),
    covered_at_most=0.2,
    odd=False,
)
