"""What the page of `chat --web` opens: pictures that were uploaded, and no other file."""

import httpx
import pytest
from PIL import Image


@pytest.mark.parametrize("given", ["private.png", "http://picture.invalid/private.png"])
def test_a_file_that_nobody_uploaded_is_not_opened(page_address, tmp_path, given):
    path = given if "://" in given else tmp_path / given
    Image.new("RGB", (64, 48)).save(tmp_path / "private.png")
    file = {"path": str(path), "meta": {"_type": "gradio.FileData"}}
    with httpx.Client(base_url=page_address, timeout=60) as client:
        events = client.get("/config").json()["dependencies"]
        (opening,) = [
            number
            for number, event in enumerate(events)
            if any(kind == "upload" for _, kind in event["targets"])
        ]
        asked = {"fn_index": opening, "data": [None, file], "session_hash": given, "trigger_id": 1}
        assert client.post("/gradio_api/queue/join", json=asked).status_code == 200
        answered = client.get("/gradio_api/queue/data", params={"session_hash": given}).text
    assert "64 x 48 pixels" not in answered
    assert "it was not uploaded by a user" in answered
