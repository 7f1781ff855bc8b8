"""The areas of annotations in COCO's layout: an odd one costs neither its region nor the others."""

import pytest

from pipelines.verify import verify

FINE = 88.5


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        ("12", 12.0),
        ("0", 0.0),
        ("-0.5", None),
        ("1e300", None),  # more than float32 holds
        ("1e999", None),
        ("9" * 400, None),
        ("NaN", None),
        ("Infinity", None),
        ("null", None),
        ("true", None),
        ('"12"', 12.0),
        ('"twelve"', None),
        ("[12]", None),
        ('{"a": 1}', None),
    ],
)
def test_an_odd_area_is_null_and_its_region_stays(coco_file, run_build, stated, expected):
    owner = coco_file()
    owner.picture(1)
    owner.region(11, 1, area=FINE)
    owner.region(12, 1, area="ODD")
    owner.region(13, 1)
    owner.save()
    owner.file.write_bytes(owner.file.read_bytes().replace(b'"ODD"', stated.encode()))
    output = run_build(owner)
    areas = {key: region["area"] for key, region in output.regions().items()}
    assert areas == {"11": FINE, "12": expected, "13": None}
    assert output.rejected() == []
    assert verify(str(output.folder)).problems == []


def test_what_else_is_malformed_is_rejected_as_ever(coco_file, run_build):
    owner = coco_file().good(1)
    owner.region(13, 1, area="none", bbox="none")
    output = run_build(owner.save())
    assert output.rejected() == [("annotation", "13", "malformed")]
