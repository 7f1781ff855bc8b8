"""The tensors of a batch beside its token ids: pictures, regions, and where they go.

Letters in shapes: B rows, T positions of a row, N pictures of the batch in the order of its rows,
S the side of the model's picture in pixels, P image tokens of a picture, K regions, R the most
regions of a picture, G cells on a side of the map that regions are pooled from, M region tokens,
D the language model's width. A flat position is `row * T + column`.
"""

from dataclasses import dataclass, fields

import torch
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Regions:
    """The regions of a batch, in the form that a connector takes: boxes or weights of cells.

    boxes: [K, 4] x0, y0, x1, y1 in pixels of the model's picture, 0..S (GPT4RoI).
    images: [K] the picture of each box, 0..N-1.
    pictures: the pictures that have a box, in order and each once, so that nothing is made of the
        others; None: all.
    weights: [N, R, G, G] the part of each cell that the region covers, 0..1 (RegionGPT).
    """

    boxes: Tensor | None = None
    images: Tensor | None = None
    pictures: Tensor | None = None
    weights: Tensor | None = None


@dataclass(frozen=True, kw_only=True)
class RegionInputs:
    """The pictures and regions of a batch, under the names that a batch has for them.

    pixel_values: [N, 3, S, S].
    image_positions: [N * P] flat positions of the image tokens, picture after picture.
    boundary_positions: [2 * N] flat positions before and after each picture's tokens, where the
        model has vectors for them.
    region_positions: [M] flat positions of the region tokens.
    region_indices: [M] the row of the connector's regions that goes to each: k with boxes,
        n * R + r with weights.
    region_boxes, region_images, region_pictures, region_weights: see `Regions`.
    """

    pixel_values: Tensor | None = None
    image_positions: Tensor | None = None
    boundary_positions: Tensor | None = None
    region_positions: Tensor | None = None
    region_indices: Tensor | None = None
    region_boxes: Tensor | None = None
    region_images: Tensor | None = None
    region_pictures: Tensor | None = None
    region_weights: Tensor | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the tensors that the batch has."""
        return tuple(name for name in INPUT_NAMES if getattr(self, name) is not None)

    @property
    def positions(self) -> tuple[Tensor | None, ...]:
        """The flat positions of image tokens, of vectors around them, and of region tokens."""
        return (self.image_positions, self.boundary_positions, self.region_positions)

    @property
    def regions(self) -> Regions | None:
        """The regions for the connector; none where no token stands for one."""
        if self.region_positions is None:
            return None
        return Regions(
            boxes=self.region_boxes,
            images=self.region_images,
            pictures=self.region_pictures,
            weights=self.region_weights,
        )

    def check(self, region_names: tuple[str, ...]) -> None:
        """Raise ValueError where tensors are missing or belong to the other model.

        Args:
            region_names: the tensors in which this model takes regions.
        """
        others = set(self.names) & set(_REGION_FORMS) - set(region_names)
        if others:
            raise ValueError(
                f"the batch has {', '.join(sorted(others))}, and this model takes regions as "
                f"{', '.join(region_names)}: make the batch with this model's own processor"
            )
        wanted: tuple[str, ...] = ("pixel_values", "image_positions") if self.names else ()
        if self.region_positions is not None or self.region_indices is not None:
            wanted += ("region_positions", "region_indices", *region_names)
        missing = [name for name in wanted if name not in self.names]
        if missing:
            raise ValueError(f"the batch has {', '.join(self.names)} without {', '.join(missing)}")

    def check_placeholders(self, input_ids: Tensor) -> None:
        """Raise ValueError where ids stand for a picture or region that the batch does not have.

        The host waits for the device here, which generation can afford and training cannot.

        Args:
            input_ids: [B, T], placeholders below 0.
        """
        expected = sum(len(part) for part in self.positions if part is not None)
        count = int((input_ids < 0).sum())
        if count != expected:
            raise ValueError(
                f"the ids have {count} placeholders of pictures and regions, and the batch has "
                f"positions of {expected}: make the batch with this model's own processor"
            )


def write_vectors(
    words: Tensor, positions: tuple[Tensor | None, ...], vectors: tuple[Tensor | None, ...]
) -> Tensor:
    """Return a batch's embeddings with the vectors of pictures and regions in their positions.

    Args:
        words: [B, T, D], the embeddings of the ids.
        positions: flat positions of image tokens, of vectors around them, of region tokens.
        vectors: as many vectors of width D for each of the three.

    Returns:
        [B, T, D], in the words' type.
    """
    for kind, *pair in zip(("image", "boundary", "region"), positions, vectors, strict=True):
        count, expected = (0 if part is None else len(part) for part in pair)
        if count != expected:
            raise ValueError(
                f"the batch has {count} {kind} positions for {expected} {kind} vectors: make the "
                "batch with this model's own processor"
            )
    target = torch.cat([part for part in positions if part is not None]).to(words.device)
    source = torch.cat([part.to(words) for part in vectors if part is not None])
    return words.flatten(0, 1).index_copy(0, target, source).view_as(words)


INPUT_NAMES = tuple(field.name for field in fields(RegionInputs))
_REGION_FORMS = ("region_boxes", "region_images", "region_weights")
