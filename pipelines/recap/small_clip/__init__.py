"""A CLIP model of 2 MB that was trained on drawings of the sample world only.

The model scores captions of coloured shapes on any machine without a download, so that the demo
and the tests can score and filter captions. Its scores of photographs mean nothing.

    python -m bench.small_clip.train    trains the model again, in a few minutes
"""

from pathlib import Path

FOLDER = Path(__file__).parent  # with open_clip's files of config and weights
