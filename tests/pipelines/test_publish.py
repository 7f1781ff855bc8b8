"""Publish: totals balance, and so do lines of rejected items, or a build fails without manifest."""

import pytest

from pipelines.output.rejections import SortRejections
from schemas.errors import BuildError
from schemas.layout import MANIFEST


@pytest.mark.parametrize(("kept_lines", "number"), [(0, 0), (1, 2), (2, 4)])
def test_lines_that_are_lost_on_their_way_fail_the_build(
    coco_file, run_build, tmp_path, monkeypatch, kept_lines, number
):
    sort = SortRejections.process
    monkeypatch.setattr(
        SortRejections,
        "process",
        lambda self, element: [each for _ in range(kept_lines) for each in sort(self, element)],
    )
    owner = coco_file().good(1)
    for region_id in (13, 14):
        owner.region(region_id, 1, iscrowd=1)
    words = rf"does not balance: 2 items of coco were rejected, but _rejected lists {number} of"
    if number == 2:
        run_build(owner.save(), tmp_path)
    else:
        with pytest.raises(BuildError, match=words):
            run_build(owner.save(), tmp_path)
    assert (tmp_path / MANIFEST).exists() == (number == 2)
