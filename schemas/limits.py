"""Limits on data that is not ours: what exceeds one is refused before much work is spent on it.

Only numbers stand here, so that any package can import them. Each package checks and decodes by
itself.
"""

# An image file of more bytes is not opened; the largest photographs have a tenth of this.
MAX_IMAGE_BYTES = 256 * 1024 * 1024

# An image of more pixels (width times height) is not decoded. Pillow warns whoever opens one of
# more than 89 million: no reader of a shard shall see that.
MAX_IMAGE_PIXELS = 80_000_000

# No side of an image has more pixels: libjpeg refuses a longer one.
MAX_IMAGE_SIDE = 65_500

# A JPEG of more scans is not decoded: each scan costs a pass over all pixels, and a hundred fit
# into a few kilobytes. Encoders of progressive pictures write 10 to 20.
MAX_JPEG_SCANS = 100

# A mask of more pixels is not encoded. A run takes pycocotools up to five characters below 2^24
# pixels, but six or seven above, and then its output buffer can be too small. Four runs of that
# length are enough.
MAX_MASK_PIXELS = 3 * 2**24

# A number in compressed run lengths has at most this many digits of five bits: 2^34 pixels.
MAX_RUN_DIGITS = 7

# A mask reaches at most this many pixels beyond its box: more is of another object or frame.
MAX_MASK_BEYOND = 16

# A polygon has three corners at least; pycocotools takes a list of four numbers for a box.
MIN_POLYGON_NUMBERS = 6

# A name, a sentence or a caption has at most this many characters.
MAX_TEXT_CHARACTERS = 4_000

# What is said about a rejected item has at most this many characters: it may quote the item.
MAX_DETAIL_CHARACTERS = 1_000

# A turn of a conversation has at most this many characters, because it may hold whole texts.
MAX_TURN_CHARACTERS = 100_000

# A turn asks for the categories of at most this many regions, or for one phrase about them.
MAX_GROUP = 10

# Tags in a text are nested at most this deep: each level costs a pass over the text.
MAX_NESTED_TAGS = 32

# An answer of a server has at most this many bytes; captions have some thousands.
MAX_ANSWER_BYTES = 8 * 1024 * 1024

# Lists and objects in a file of JSON are nested at most this deep; real files have ten levels.
MAX_JSON_DEPTH = 100

# Containers in a pickle are nested at most this deep; those of data sets have five levels.
MAX_PICKLE_DEPTH = 32

# A number in a pickle has at most this many digits: Python reads no longer one by default.
MAX_PICKLE_DIGITS = 4_300

# A key in a pickle has at most this many bytes.
MAX_PICKLE_KEY = 1_000

# A packed file unpacks to at most this many bytes for each of its own.
MAX_UNPACKED_RATIO = 100

# Any packed file may unpack to this many bytes, whatever its size.
MIN_UNPACKED_BYTES = 64 * 1024 * 1024
