"""WebDataset's format: tar files in which the files of a record have a name in common.

    coco/train-00000-of-00002.tar
      00000-00000000.jpg       the picture, with the ending of its format
      00000-00000000.json      the rest of the record, with the keys of `schemas.shard`

A record's files stand together; what follows the first point of a name is the key that a reader
returns it under. Boxes stay xyxy in pixels of the picture, masks COCO's run lengths, and regions
`<region1>` in the text: nothing is lost. A record without a picture has the JSON alone.

    webdataset.WebDataset("/tars/coco/train-{00000..00001}-of-00002.tar").decode("pil")

Source: https://github.com/webdataset/webdataset
"""

import io
import tarfile

import msgspec

from pipelines.export.part import Part
from pipelines.export.target import Target, ending_of
from schemas.layout import exported_shard
from schemas.manifest import Shard

SUFFIX = ".tar"


def write(part: Part, target: Target) -> None:
    """Write the shards of a split, each as a tar file."""
    for shard in part.shards:
        with (
            target.open(exported_shard(shard.path, SUFFIX)) as file,
            tarfile.open(fileobj=file, mode="w|", format=tarfile.GNU_FORMAT) as tar,
        ):
            _add_records(part, shard, target, tar)


def _add_records(part: Part, shard: Shard, target: Target, tar: tarfile.TarFile) -> None:
    for number, (record, picture) in enumerate(target.pictured(part.records_of(shard))):
        key = f"{shard.index:05d}-{number:08d}"
        image = record.pop("image")
        if picture is not None:
            record["file_name"] = image["path"]
            _add(tar, f"{key}.{ending_of(picture)}", picture)
        _add(tar, f"{key}.json", msgspec.json.encode(record))


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    tar.addfile(info, io.BytesIO(content))
