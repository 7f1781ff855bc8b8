"""The names of formats and of forms of boxes, without the imports that their writers need."""

FORMATS = ("llava", "swift", "llamafactory", "qwen", "parquet", "coco", "webdataset")
THOUSANDTHS, PIXELS = COORDINATES = ("thousandths", "pixels")  # boxes in the text of Qwen-VL
