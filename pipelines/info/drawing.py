"""The picture of a record as a file, with its regions drawn."""

from io import BytesIO

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from pipelines.output.picture import record_picture
from pipelines.preview.record import Record, ShownRegion, shown_regions
from schemas.mask import BoolImage
from schemas.visible import one_line

_SHARE = 300  # of the picture's longer side in the width of a line
_TINT = 0.35  # opacity of a mask
_LETTER = 40  # share of the longer side in the height of letters


def drawn_record(record: Record, image_root: str | None) -> bytes:
    """Return the picture of a record as a PNG file, with boxes, masks and names of its regions.

    Raises:
        NoPictureError: the picture is neither in the shard nor below the root, or cannot be shown.
    """
    image = record_picture(record, image_root)
    regions = sorted(shown_regions(record), key=lambda region: -region.box_area)
    for region in regions:
        if region.mask:
            image = _tinted(image, region.mask.pixels(), region.colour)
    draw = ImageDraw.Draw(image)
    line = max(2, max(image.size) // _SHARE)
    font = ImageFont.load_default(max(12, max(image.size) // _LETTER))
    for region in regions:
        draw.rectangle(region.box, outline=region.colour, width=line)
    for region in regions:
        _write_name(draw, region, font)
    content = BytesIO()
    image.save(content, "PNG")
    return content.getvalue()


def _tinted(image: Image.Image, mask: BoolImage, colour: str) -> Image.Image:
    """Return a picture with a mask in a colour over it."""
    opacity = Image.fromarray(mask.astype(np.uint8) * round(255 * _TINT), "L")
    return Image.composite(Image.new("RGB", image.size, colour), image, opacity)


def _write_name(
    draw: ImageDraw.ImageDraw,
    region: ShownRegion,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
) -> None:
    """Write a region's number and name on its colour, above its box where there is room."""
    text = f"{region.number} {one_line(region.name)}".strip()
    _, _, width, height = draw.textbbox((0, 0), text, font=font)
    x = max(0, min(region.box[0], draw.im.size[0] - width - 4))
    y = region.box[1] - height - 2
    y = y if y >= 0 else region.box[1]
    draw.rectangle((x, y, x + width + 4, y + height + 2), fill=region.colour)
    draw.text((x + 2, y), text, fill="black", font=font)
