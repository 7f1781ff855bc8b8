"""Rejections: what is said about an item stays short, however long the item is."""

from schemas.limits import MAX_DETAIL_CHARACTERS
from schemas.rejection import Reason, Rejected


def test_a_long_detail_is_cut():
    cause = Rejected(Reason.IMAGE_BAD_SIZE, f"annotated as {'9' * 4_000} x 3")
    assert len(cause.detail) == MAX_DETAIL_CHARACTERS
    assert cause.detail.startswith("annotated as 999")
    assert cause.detail.endswith("9…")
    assert len(str(cause)) < MAX_DETAIL_CHARACTERS + 50


def test_a_detail_that_fits_is_kept():
    detail = "x" * MAX_DETAIL_CHARACTERS
    assert Rejected(Reason.MALFORMED, detail).detail == detail
