"""The bin of an image follows from its id, and bins are about as large."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from pipelines.datasets.common.bins import bin_of, in_bins


@given(st.integers() | st.text(), st.integers(1, 64))
def test_an_image_is_in_one_of_the_bins(image_id, bins):
    assert 0 <= bin_of(image_id, bins) < bins


def test_bins_have_about_the_same_number_of_images():
    sizes = Counter(bin_of(f"image {number}", 4) for number in range(4_000))
    assert sorted(sizes) == [0, 1, 2, 3]
    assert min(sizes.values()) > 900
    assert max(sizes.values()) < 1_100


@given(st.dictionaries(st.integers() | st.text(), st.none()), st.integers(1, 8))
def test_each_image_is_dealt_into_its_bin_in_order(images, bins):
    for number, dealt in enumerate(in_bins(images, bins)):
        assert list(dealt) == [image_id for image_id in images if bin_of(image_id, bins) == number]
