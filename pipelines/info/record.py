"""The look-up of a record by its id."""

from itertools import islice

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.output.reader import read_manifest
from pipelines.output.records import shard_columns
from pipelines.preview.record import Record
from pipelines.shards.reader import shard_batches
from pipelines.storage import files
from schemas.errors import UsageError
from schemas.ids import image_of
from schemas.manifest import Shard

_NAMED = 5  # ids of the same picture in a message


def find_record(output: str, record_id: str) -> Record:
    """Return the record of a finished build that has an id.

    Raises:
        InputFileError: there is no finished build, or a shard is damaged.
        UsageError: no record has the id; the message names those of the same picture.
    """
    shards = read_manifest(output).shards
    of_split = [shard for shard in shards if record_id.startswith(f"{shard.config}/{shard.split}/")]
    same_image: list[str] = []
    whole = record_id.count("/") == 4
    prefix = f"{image_of(record_id) if whole else record_id.rstrip('/')}/"
    for shard in of_split:
        for number, batch in enumerate(shard_columns(output, shard, ("id",))):
            ids = batch.column("id")
            row = pc.index(ids, pa.scalar(record_id)).as_py()
            if row >= 0:
                return _row(output, shard, number, row)
            same_image += ids.filter(pc.starts_with(ids, pattern=prefix)).to_pylist()
    raise UsageError(_absent(output, record_id, same_image))


def _row(output: str, shard: Shard, number: int, row: int) -> Record:
    batches = shard_batches(files.join(output, shard.path))
    (batch,) = islice(batches, number, number + 1)
    (record,) = batch.slice(row, 1).to_pylist()
    return dict(record)


def _absent(output: str, record_id: str, same_image: list[str]) -> str:
    if same_image:
        named = ", ".join(sorted(same_image)[:_NAMED])
        return f"--id {record_id}: no record of {output} has this id; of this picture: {named}"
    return (
        f"--id {record_id}: no record of {output} has this id; an id is "
        "source/split/picture/task/number, as `regionforge preview` shows"
    )
