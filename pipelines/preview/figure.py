"""The picture of a record with the record's regions drawn over it.

Boxes and masks are drawn in an SVG whose units are the image's pixels, large ones first and small
ones on top; name tags are text over the SVG, so that they stay readable at any scale.
"""

from pipelines.output.picture import NoPictureError
from pipelines.preview.picture import mask_overlay, picture_uri
from pipelines.preview.record import Record, ShownRegion
from schemas.html import Html, element

SEVERAL, CROWDED = 5, 10  # regions from which tags are only numbers, on a narrow or any screen


def figure(record: Record, regions: list[ShownRegion], image_root: str | None) -> Html:
    """Return the picture of a record with its regions; empty markup for a text-only record."""
    if record["image"] is None:
        return Html("")
    width, height = record["width"], record["height"]
    largest_first = sorted(regions, key=lambda region: (-region.box_area, region.number))
    return element(
        "figure",
        _picture(record, image_root),
        element(
            "svg",
            *map(_shapes, largest_first),
            viewBox=f"0 0 {width} {height}",
            preserveAspectRatio="none",
            aria_hidden="true",
        ),
        *(_tag(region, width, height) for region in regions),
        class_=_density(len(regions)),
        style=f"--width:{width};--height:{height}",
    )


def _density(regions: int) -> str:
    return " ".join(["several"] * (regions >= SEVERAL) + ["crowded"] * (regions >= CROWDED))


def _picture(record: Record, image_root: str | None) -> Html:
    path = record["image"]["path"] or "the image"
    try:
        return element("img", src=picture_uri(record, image_root), alt=path)
    except NoPictureError as cause:
        return element("div", element("b", path), f" {cause}", class_="absent")


def _shapes(region: ShownRegion) -> Html:
    x0, y0, x1, y1 = region.box
    box = {"x": x0, "y": y0, "width": x1 - x0, "height": y1 - y0}
    return element(
        "g",
        _mask(region),
        element("rect", class_="edge", **box),
        element("rect", class_="box", **box),
        data_region=region.number,
        style=f"--colour:{region.colour}",
    )


def _mask(region: ShownRegion) -> Html:
    overlay = region.mask and mask_overlay(region.mask, region.colour)
    if not overlay:
        return Html("")
    return element(
        "image",
        href=overlay.uri,
        x=overlay.x,
        y=overlay.y,
        width=overlay.width,
        height=overlay.height,
        preserveAspectRatio="none",
    )


def _tag(region: ShownRegion, width: int, height: int) -> Html:
    """Return a region's name tag above its box, or inside the box at the top of the image."""
    x0, y0, x1, _ = region.box
    right_half = x0 + x1 > 1.2 * width
    side = f"right:{1 - x1 / width:.2%}" if right_half else f"left:{x0 / width:.2%}"
    return element(
        "span",
        element("b", str(region.number)),
        element("span", f" {region.name}", class_="name") if region.name else "",
        class_="tag" if y0 > 0.08 * height else "tag inside",
        tabindex=0,
        data_region=region.number,
        style=f"--colour:{region.colour};{side};top:{y0 / height:.2%}",
    )
