"""A row of a call, with its text as ids, made ready to be joined with others."""

from model.batch import Example
from model.errors import naming
from model.image_processor import RegionImageProcessor
from model.picture import read_picture
from model.regiongpt.coverage import Sampling
from model.regions import RegionAs, model_boxes, model_weights, read_regions
from model.request import Row, check_picture
from model.text.encode import EncodedPrompt


def make_example(
    row: Row[EncodedPrompt],
    image_processor: RegionImageProcessor,
    region_as: RegionAs | None,
    grid: int | None,
    sampling: Sampling,
) -> Example:
    """Return a row, ready to be joined with others, after checking that its parts fit.

    Args:
        row: see there.
        image_processor: the model's.
        region_as: the form to take of a region that has two; by default the mask, if it may be.
        grid: G cells on a side of the map from which regions are pooled; None: boxes.
        sampling: of masks.

    Raises:
        InputError: the picture or a region cannot be used, or they do not fit the text.
    """
    encoded = row.content
    ids, tokens = encoded.input_ids, tuple(encoded.regions)
    check_picture(row, encoded.images)
    if row.picture is None:
        return Example(input_ids=ids)
    with naming(row.name):
        picture = read_picture(row.picture)
    pixels, frame = image_processor.square(picture)
    preferred = region_as or ("box" if grid is None else "mask")
    shapes = read_regions(row.regions, picture.size, preferred, row.name)
    boxes = weights = None
    if shapes and grid is None:
        boxes = model_boxes(shapes, frame)
    elif shapes and grid is not None:
        weights = model_weights(shapes, frame, grid, row.name, sampling)
    return Example(
        input_ids=ids,
        pixels=pixels,
        region_boxes=boxes,
        region_weights=weights,
        region_tokens=tokens,
    )
