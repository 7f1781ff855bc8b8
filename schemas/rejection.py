"""Rejections: a reason code for each cause, and the line that records a rejected item."""

from enum import StrEnum

import msgspec

from schemas.json_decoding import decode
from schemas.limits import MAX_DETAIL_CHARACTERS


class Kind(StrEnum):
    """The kinds of items that the ledger counts."""

    FILE = "file"
    IMAGE = "image"
    CATEGORY = "category"
    ANNOTATION = "annotation"
    SENTENCE = "sentence"
    PHRASE = "phrase"  # words of a caption that stand for regions, where each has a turn
    RELATIONSHIP = "relationship"
    ATTRIBUTE = "attribute"  # the owner's attributes of one region
    QUESTION = "question"
    DIALOGUE = "dialogue"  # a conversation as its owner wrote it
    CONVERSATION = "conversation"  # a record


class Reason(StrEnum):
    """The reason codes of `ledger.json` and `_rejected/`. A code never changes its meaning."""

    # Any item.
    MALFORMED = "malformed"  # a required key is missing, or a value has the wrong type
    DUPLICATE_ID = "duplicate_id"  # another item of the same kind has the same id
    DUPLICATE = "duplicate"  # has the same content as another item about the same thing
    UNREADABLE_FILE = "unreadable_file"  # the annotation file as a whole cannot be used
    NOT_USED = "not_used"  # no task of the build has a use for it
    CAPTION_TURN_ONLY = "caption_turn_only"  # its regions are too many, or have a turn

    # Links.
    UNKNOWN_IMAGE = "unknown_image"  # refers to an image that the file does not declare
    UNKNOWN_CATEGORY = "unknown_category"  # refers to a category that the file does not declare
    AMBIGUOUS_CATEGORY = "ambiguous_category"  # its category id is declared with several names
    UNKNOWN_REGION = "unknown_region"  # refers to a region that its image does not have
    REGION_REJECTED = "region_rejected"  # a region it needs was rejected, for the reason there

    # Images.
    IMAGE_UNSAFE_PATH = "image_unsafe_path"  # absolute, or climbs out of the image folder
    IMAGE_BAD_SIZE = "image_bad_size"  # annotated width or height is not a usable number of pixels
    IMAGE_MISSING = "image_missing"  # no such file in the image folder
    IMAGE_EMPTY = "image_empty"  # a file of no bytes
    IMAGE_NOT_AN_IMAGE = "image_not_an_image"  # none of the formats we take
    IMAGE_TRUNCATED = "image_truncated"  # ends before its pixels do
    IMAGE_UNREADABLE = "image_unreadable"  # cannot be opened, or does not decode
    IMAGE_ANIMATED = "image_animated"  # more than one frame
    IMAGE_16_BIT = "image_16_bit"  # more than 8 bits per channel
    IMAGE_OVER_BYTE_CAP = "image_over_byte_cap"  # a larger file than we read
    IMAGE_OVER_PIXEL_CAP = "image_over_pixel_cap"  # more pixels than we decode
    IMAGE_SIZE_MISMATCH = "image_size_mismatch"  # not the size that was annotated, in either frame
    AMBIGUOUS_FRAME = (
        "ambiguous_frame"  # some boxes fit only the stored, others only upright pixels
    )
    NO_REGIONS = "no_regions"  # nothing usable is annotated on it
    EVALUATION_IMAGE = "evaluation_image"  # an evaluation uses it: training splits must not hold it

    # Regions.
    CROWD = "crowd"  # marks a group, not one object
    BOX_NOT_FINITE = "box_not_finite"  # a coordinate is NaN, infinite or null
    BOX_INVERTED = "box_inverted"  # right of its right edge, or below its bottom edge
    BOX_ZERO_AREA = "box_zero_area"  # no width or no height
    BOX_OUTSIDE = "box_outside"  # no part of it lies in the image
    REGION_SMALL = "region_small"  # its shorter side is below the least that is captioned
    MASK_MALFORMED = "mask_malformed"  # neither polygons nor a run-length encoding
    MASK_SIZE_MISMATCH = "mask_size_mismatch"  # run lengths of another image size

    # Text.
    TEXT_EMPTY = "text_empty"  # nothing is left of a name or sentence
    TEXT_TOO_LONG = "text_too_long"  # longer than any label or sentence is
    AMBIGUOUS_LABEL = "ambiguous_label"  # the right choice reads as a wrong one does
    TEXT_UNSAFE = "text_unsafe"  # its pieces, each harmless, make a placeholder or a stop string

    # Captions that a model wrote.
    CAPTION_FAILED = "caption_failed"  # the server refuses the request, or answers nonsense
    CAPTION_FILTERED = "caption_filtered"  # the server's content filter keeps the answer back
    CAPTION_EMPTY = "caption_empty"  # no words
    CAPTION_CUT = "caption_cut"  # ends at the limit of tokens, and too few sentences are whole
    CAPTION_REFUSAL = "caption_refusal"  # says that it cannot, instead of describing
    CAPTION_REPETITIVE = "caption_repetitive"  # repeats the same words again and again
    CAPTION_OTHER_LANGUAGE = "caption_other_language"  # is not in English
    CAPTION_MARKUP = "caption_markup"  # is a list, a table or data, not prose
    CAPTION_DENIES = "caption_denies"  # says that its object is not there, or cannot be made out
    CAPTION_META = "caption_meta"  # speaks of the picture, the crop or the request
    CAPTION_SHORT = "caption_short"  # has fewer words than a detailed caption
    CAPTION_OTHER_CLASS = "caption_other_class"  # names another annotated class more than its own
    CAPTION_COPIES_GLOBAL = "caption_copies_global"  # repeats the caption of the whole image
    CAPTION_UNASKED = "caption_unasked"  # never asked for, by a run that only filters anew
    CAPTION_UNLIKE_CROP = "caption_unlike_crop"  # CLIP similarity below the threshold
    CAPTION_WRONG_PLACE = "caption_wrong_place"  # boxes contradict the place that it tells
    CAPTION_WRONG_COLOUR = "caption_wrong_colour"  # pixels contradict the colour that it tells
    CAPTION_JUDGED_FALSE = "caption_judged_false"  # a judge holds it for false
    CAPTION_UNJUDGED = "caption_unjudged"  # a judge says neither yes nor no to it
    CAPTION_ALIKE = "caption_alike"  # repeats a caption of the same class that is kept
    CAPTION_STOCK_OPENING = "caption_stock_opening"  # begins as too many of its class do
    NO_GLOBAL_CAPTION = "no_global_caption"  # the image's own caption was rejected


class Repair(StrEnum):
    """The repairs of items that were kept; repairs are not part of the ledger's balance."""

    BOX_CLIPPED = "box_clipped"  # reached beyond the image and was cut to it
    PHRASE_UNBOXED = "phrase_unboxed"  # a region of the phrase was rejected; its words are kept
    BOX_FROM_MASK = "box_from_mask"  # stated none; it is the bounds of its mask
    ID_FROM_CONTENT = "id_from_content"  # shared its id on its image, or had none
    MASK_REREAD = "mask_reread"  # in another form than COCO's, such as one flat list
    MASK_STRAY_PARTS = "mask_stray_parts"  # parts of one or two points were left out of it
    # The region keeps its box without a mask.
    MASK_EMPTY = "mask_empty"  # covered no pixel
    MASK_OFF_BOX = "mask_off_box"  # was apart from its box, or reached far beyond it
    MASK_MALFORMED = "mask_malformed"  # neither polygons nor a run-length encoding
    MASK_SIZE_MISMATCH = "mask_size_mismatch"  # run lengths of another image size
    MASK_OVER_PIXEL_CAP = "mask_over_pixel_cap"  # of an image with more pixels than we rasterise
    # Its file is spelled otherwise: Unicode, slashes, %20, case of the ending, leading folder.
    IMAGE_NAME_MATCHED = "image_name_matched"
    SIZE_FROM_PICTURE = "size_from_picture"  # its size was not stated
    FRAME_BY_BOXES = "frame_by_boxes"  # its boxes fit only the upright picture, not the stated size
    IMAGE_TURNED = "image_turned"  # stored rotated by EXIF; re-encoded upright


class Rejected(ValueError):
    """The refusal of an item, raised by a pure function; stages turn it into a `Rejection`."""

    def __init__(self, reason: Reason, detail: str) -> None:
        if len(detail) > MAX_DETAIL_CHARACTERS:
            detail = f"{detail[: MAX_DETAIL_CHARACTERS - 1]}…"
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail

    def __reduce__(self) -> tuple[type["Rejected"], tuple[Reason, str]]:
        """Return how it is made again in another process."""
        return Rejected, (self.reason, self.detail)


class RejectedCaption(msgspec.Struct, frozen=True, omit_defaults=True):
    """The region of a rejected caption, so that people can look at what was rejected."""

    image: str  # the id of its image, in its source and split
    file: str  # the path of its picture below the data root
    box: tuple[float, float, float, float]  # xyxy, pixels of the upright picture
    category: str | None = None
    text: str = ""  # the caption, where it passed all checks of its words; else `detail` quotes it
    clip: float | None = None  # as in a record; None: not scored
    clip_min: float | None = None
    judge: float | None = None  # as in a record; None: not judged


class Rejection(msgspec.Struct, frozen=True, omit_defaults=True):
    """A rejected item: a line of `_rejected/<config>.jsonl`, such as

    {"source": "coco", "split": "train", "stage": "screen", "kind": "annotation", "id": "1",
     "reason": "crowd", "detail": "..."}
    """

    source: str
    split: str
    stage: str
    kind: Kind
    id: str
    reason: Reason
    detail: str  # the value and the expected value, in words
    caption: RejectedCaption | None = None  # None: it is no caption of a region

    def sort_key(self) -> tuple[str, ...]:
        """Return the key that orders lines on disk, independent of the order of arrival."""
        return (self.split, self.stage, self.kind, self.id, self.reason, self.detail)

    def line(self) -> bytes:
        """Return the rejection as one line of JSON, without the line's end."""
        return msgspec.json.encode(self)

    @staticmethod
    def from_line(line: bytes) -> "Rejection":
        """Return the rejection that a line of JSON records."""
        return decode(_DECODER, line)


_DECODER = msgspec.json.Decoder(Rejection)
