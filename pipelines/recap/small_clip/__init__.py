"""A CLIP of 2 MB that knows the sample world and nothing else.

It scores captions of coloured shapes on any machine, without a download, so that the demo and the
tests score and filter captions too. Its scores of photographs mean nothing.

    python -m bench.small_clip.train    trains it anew, in a few minutes
"""

from pathlib import Path

FOLDER = Path(__file__).parent  # also holds config and weights, as open_clip names them
