"""A list of records is cut between two of them, however many objects lie in each."""

import io
import json

import pytest

from pipelines.datasets.common import slices
from pipelines.datasets.common.index import RAWS
from pipelines.datasets.common.slices import JsonStream

INNER = [{"region_id": number, "phrase": '}, {"regions": ['} for number in range(60)]


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("name", ["regions", 'a "name"', "a\\+(b"])
def test_records_of_many_objects_are_cut(monkeypatch, name, indent):
    records = [{name: INNER, "id": number} for number in range(40)]
    records[30] = dict(reversed(records[30].items()))
    text = json.dumps(records, indent=indent).encode()
    monkeypatch.setattr(slices, "_MORE_BYTES", len(text) // 10)
    monkeypatch.setattr(slices, "SLICE_BYTES", len(text) // 8)
    stream = JsonStream(io.BytesIO(text))
    read = list(stream.items(RAWS))
    stream.expect(b"")
    assert [json.loads(bytes(item)) for some in read for item in some.items or ()] == records
    assert len(read) >= 7
