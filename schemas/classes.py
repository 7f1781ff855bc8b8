"""The classes of an image as a whole: what its owner states, and what is known after screening.

They answer questions about an image's objects together: how many there are of a class, and whether
a region is of a class that other regions of its image have.
"""

from collections.abc import Mapping

import msgspec

from schemas.geometry import Box


class StatedClasses(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An owner's statement that every object of an image's classes is annotated, but for some.

    The names are in the owner's spelling.
    """

    partial: tuple[str, ...] = ()  # classes of which there are further objects, not annotated
    absent: tuple[str, ...] = ()  # classes that were looked for and are not there


class KnownClasses(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The classes of which every object of an image is known, and classes without an object."""

    # By class: the box of each object, xyxy, pixels of the annotated image. A cap on regions leaves
    # none of them out.
    boxes: Mapping[str, tuple[Box, ...]] = {}
    absent: tuple[str, ...] = ()
