"""An output of `recap` made of two shades a picture, and a scorer that reads shades."""

from collections.abc import Callable
from io import BytesIO

import numpy as np
import pyarrow as pa
from PIL import Image

from pipelines.recap.clip.scorer import Score
from schemas.columns import BuildStamp, ImageColumn, Row, to_batch
from schemas.ids import sample_id
from schemas.item import RegionCaption
from schemas.layout import shard_name
from schemas.manifest import BuildIdentity, Manifest, Shard
from schemas.mask import Mask
from schemas.sample import Conversation, Message, Region, Task
from schemas.shard import VERSION

# Grey levels of left halves; right ones are half as bright. All differ, so that a crop says what it
# is of.
SHADES = range(132, 252, 4)
IMAGES = {shade: image for image in SHADES for shade in (image, image // 2)}
STAMP = BuildStamp(builder="regionforge 9", recipe="recapd", seed=0)


class ShadeScorer:
    """Reads the shade that a caption names and the one a crop has."""

    identity = "shades 1"

    def __init__(self):
        self.pairs = []

    def score(self, crops, captions):
        shown = [round(np.asarray(crop).mean()) for crop in crops]
        named = [int(caption.split()[-1]) for caption in captions]
        self.pairs += zip(shown, named, strict=True)
        return [Score(1 - abs(s - n) / 255, 0.0) for s, n in zip(shown, named, strict=True)]


def jpeg(shade: int, other: int) -> bytes:
    """Return an image of two halves."""
    image = Image.new("L", (64, 32), shade)
    image.paste(other, (32, 0, 64, 32))
    room = BytesIO()
    image.save(room, "JPEG", quality=95)
    return room.getvalue()


class Run:
    """The output of a run of `recap`: of each shade an image, with a region in either half."""

    def __init__(
        self,
        folder,
        make_image,
        *,
        category: Callable[[int], str | None] = lambda _: None,
        mask: Mask | None = None,
    ) -> None:
        """Take the class of a region by its shade, and the mask of all left regions."""
        self.folder = folder
        self._make_image = make_image
        self._category = category
        self._mask = mask

    def write(self, shades=SHADES, *, say="shade {}", score=None, embed=True, shards=2) -> str:
        """Write it; the right half of an image is half as bright as the left one."""
        (self.folder / "recapd").mkdir(parents=True)
        listed = []
        for index in range(shards):
            rows, column = [], ImageColumn(0)
            for shade in list(shades)[index::shards]:
                rows.append(self._row(shade, say, score))
                data = jpeg(shade, shade // 2)
                column.room(len(data))[:] = data
                column.commit(len(data))
            images = column.array() if embed else None
            batch = to_batch(rows, STAMP, images)
            listed.append(self._shard(index, shards, batch))
        identity = BuildIdentity(
            schema_version=VERSION, builder="regionforge 9", recipe={"name": "recapd"}, sources={}
        )
        manifest = Manifest(identity=identity, shards=listed, rejected={})
        (self.folder / "manifest.json").write_text(manifest.model_dump_json(), encoding="utf-8")
        return str(self.folder)

    def _row(self, shade: int, say: str, score: float | None) -> Row:
        left, right, task = (2, 2, 28, 30), (36, 2, 62, 30), Task.REGION_DETAILED_CAPTION
        scored = (RegionCaption("paragraph", "x", score, score),)
        talk = Conversation(
            id=sample_id("recapd", "train", f"sub/{shade}", task, 0),
            turn_tasks=(task,),
            regions=(
                Region(
                    "left",
                    left,
                    self._mask,
                    category=self._category(shade),
                    caption=say.format(shade),
                    captions=scored,
                ),
                Region(
                    "right",
                    right,
                    category=self._category(shade // 2),
                    caption=say.format(shade // 2),
                    captions=scored,
                ),
                Region("unsaid", right),
            ),
            messages=(Message("user", "<image> ?"), Message("assistant", "!")),
            prompts=("p",),
        )
        return Row(self._make_image(), f"{shade}.jpg", talk, (64, 32))

    def _shard(self, index: int, of: int, batch: pa.RecordBatch) -> Shard:
        path, rows = f"recapd/{shard_name('train', index, of)}", batch.num_rows
        with (
            pa.OSFile(str(self.folder / path), "wb") as sink,
            pa.ipc.new_stream(sink, batch.schema) as stream,
        ):
            stream.write_batch(batch)
        return Shard(
            config="recapd",
            split="train",
            index=index,
            of=of,
            path=path,
            rows=rows,
            bytes=1,
            sha256="",
        )
