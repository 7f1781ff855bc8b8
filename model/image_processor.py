"""The picture as the vision tower takes it: upright RGB, made square, resized, normalised.

S  the side of the model's picture, pixels
N  pictures
"""

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from transformers import BaseImageProcessor, BatchFeature
from transformers.image_utils import (
    IMAGENET_STANDARD_MEAN,
    IMAGENET_STANDARD_STD,
    OPENAI_CLIP_MEAN,
    OPENAI_CLIP_STD,
)

from model.config import RegionConfig
from model.errors import naming
from model.frame import Frame
from model.picture import Picture, read_picture
from schemas.limits import MAX_IMAGE_PIXELS


class RegionImageProcessor(BaseImageProcessor):
    """Makes the model's square picture, and the frame that tells where the owner's lies in it."""

    model_input_names: ClassVar = ["pixel_values"]

    def __init__(
        self,
        image_size: int = 336,
        image_fit: Literal["pad", "stretch"] = "pad",
        patch_size: int = 14,
        image_mean: Sequence[float] = OPENAI_CLIP_MEAN,
        image_std: Sequence[float] = OPENAI_CLIP_STD,
        **kwargs: Any,
    ) -> None:
        """Make the processor.

        Args:
            image_size: the side S of the model's picture, pixels.
            image_fit: `pad` centres the picture on a square of the mean colour, as LLaVA does;
                `stretch` gives up its aspect, as GPT4RoI does.
            patch_size: the side of the vision tower's patches, pixels.
            image_mean: the mean of each channel, 0 to 1.
            image_std: the standard deviation of each channel.
            kwargs: transformers' own entries of a saved processor.
        """
        super().__init__(**kwargs)
        if image_fit not in ("pad", "stretch"):
            raise ValueError(f"image_fit is {image_fit!r}, expected 'pad' or 'stretch'")
        self.image_size = image_size
        self.image_fit = image_fit
        self.patch_size = patch_size
        self.image_mean = list(image_mean)
        self.image_std = list(image_std)

    @classmethod
    def from_config(cls, config: RegionConfig) -> "RegionImageProcessor":
        """Return the processor of a model, with the mean and deviation of its vision tower."""
        mean, std = OPENAI_CLIP_MEAN, OPENAI_CLIP_STD
        if str(config.vision_config.model_type).startswith("siglip"):
            mean, std = IMAGENET_STANDARD_MEAN, IMAGENET_STANDARD_STD
        patch = int(config.vision_config.patch_size)
        return cls(config.image_size, config.image_fit, patch, mean, std)

    @property
    def grid(self) -> int:
        """The number of whole patches on a side of the model's picture."""
        return self.image_size // self.patch_size

    def preprocess(
        self, images: Picture | Sequence[Picture], return_tensors: str = "pt", **kwargs: Any
    ) -> BatchFeature:
        """Return `pixel_values` [N, 3, S, S] of a picture or of several.

        Args:
            images: pictures in the forms that `model.picture.read_picture` takes.
            return_tensors: `pt` or `np`.
            kwargs: none; a name is an error, not ignored.
        """
        if kwargs:
            raise TypeError(f"unexpected arguments: {', '.join(sorted(kwargs))}")
        pictures = images if isinstance(images, list | tuple) else [images]
        squares = []
        for number, picture in enumerate(pictures):
            with naming(f"picture {number}"):
                squares.append(self.square(read_picture(picture))[0])
        pixels = self.normalised(squares)
        return BatchFeature({"pixel_values": pixels}, tensor_type=return_tensors)

    def fit(self, picture: Image.Image) -> tuple[NDArray[np.float32], Frame]:
        """Return the model's picture [3, S, S], normalised, and its frame.

        Args:
            picture: RGB, upright.
        """
        pixels, frame = self.square(picture)
        return self.normalised([pixels])[0], frame

    def square(self, picture: Image.Image) -> tuple[NDArray[np.uint8], Frame]:
        """Return the model's picture [S, S, 3] before it is normalised, and its frame.

        Args:
            picture: RGB, upright.
        """
        if self.image_fit == "pad":
            colour = tuple(int(255 * mean) for mean in self.image_mean)  # CLIP: (122, 116, 104)
            square = _padded(picture, self.image_size, colour)
            frame = Frame.padded(*picture.size, self.image_size, self.patch_size)
        else:
            square = _resized(picture, self.image_size, self.image_size)
            frame = Frame.stretched(*picture.size, self.image_size, self.patch_size)
        # Line by line a channel's pixels lie side by side, as the model takes them.
        lines = np.frombuffer(square.tobytes("raw", "RGB;L"), np.uint8)
        return lines.reshape(self.image_size, 3, self.image_size).transpose(0, 2, 1), frame

    def normalised(self, squares: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Return pictures of `square` normalised, as one array [N, 3, S, S]."""
        mean = 255 * np.array(self.image_mean, np.float32)[:, None, None]
        std = 255 * np.array(self.image_std, np.float32)[:, None, None]
        # In place: the system takes as long to hand out memory as it takes to compute.
        batch = np.empty((len(squares), 3, self.image_size, self.image_size), np.float32)
        for pixels, square in zip(batch, squares, strict=True):
            pixels[:] = square.transpose(2, 0, 1)
            pixels -= mean
            pixels /= std
        return batch


def _padded(picture: Image.Image, side: int, colour: tuple[int, ...]) -> Image.Image:
    """Return a picture centred on a square canvas of a colour, and resized.

    Pillow resizes along x first, and so does this, but of a wide picture without its padding. A
    very tall one is resized along y first, because the canvas of 1 x 65,500 has 4 billion pixels.
    """
    width, height = picture.size
    size = height, height
    if width >= height:
        picture, size = _resized(picture, side, height), (side, width)
    elif height**2 > MAX_IMAGE_PIXELS:
        picture, size = _resized(picture, width, side), (height, side)
    canvas = Image.new("RGB", size, colour)
    canvas.paste(picture, ((size[0] - picture.width) // 2, (size[1] - picture.height) // 2))
    return _resized(canvas, side, side)


def _resized(picture: Image.Image, width: int, height: int) -> Image.Image:
    return picture.resize((width, height), Image.Resampling.BICUBIC)
