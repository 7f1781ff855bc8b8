"""Whole runs that leave out what boxes and pixels contradict, with a judge and without one."""

import pytest
from PIL import Image

from pipelines.recipes.recap import Filter
from pipelines.verify import verify

MEASURED = Filter(measured_checks=True)
BOTH = Filter(measured_checks=True, judge_model="judge", judge_min=0.5, judge_sentences=True)
QUIET = {"global_caption": False}
REST = "It has a narrow rim, and its surface is plain and smooth all around, without any letters."
# Region 11 is a dog in the upper left of a picture, and red; 12 is a wine glass.
CAPTIONS = {
    f"The dog lies in the upper left. {REST}": "",
    f"The dog lies in the lower right. {REST}": "caption_wrong_place",
    f"The red dog lies there. {REST}": "",
    f"The blue dog lies there. {REST}": "caption_wrong_colour",
    f"The wine glass is empty, and the glass is clear. {REST}": "caption_other_class",
}


@pytest.fixture
def owner(coco_file):
    """A picture of a red dog in the upper left, and a wine glass in the lower right."""
    made = coco_file()
    made.picture(1)
    path = made.pictures / "1.jpg"
    with Image.open(path) as opened:
        picture = Image.new("RGB", opened.size, (200, 30, 30))
    picture.save(path, quality=95)
    width, height = picture.size
    corner = [0, 0, width // 3, height // 3]
    made.region(11, 1, bbox=corner, segmentation=[])
    made.region(12, 1, bbox=[width - 12, height - 12, 12, 12], segmentation=[])
    return made.save()


@pytest.mark.parametrize(("text", "reason"), CAPTIONS.items())
def test_contradicted_captions_are_left_out(owner, serve, recap, text, reason) -> None:
    server = serve({"match": "region/11/", "answer": text})
    made = recap(owner, server, kept=MEASURED, captioning=QUIET)
    assert made.rejected() == ({"11": reason} if reason else {})
    assert "12" in made.captions()
    assert len(server.log()) == 2, "nothing is asked again"
    assert {row["provenance"]["judge_model"] for row in made.output.rows()} == {None}
    assert verify(str(made.folder)).problems == []


def test_by_sentence_the_contradicted_one_alone_and_unjudged(owner, serve, recap) -> None:
    text = f"The dog lies in the lower right. {REST} It wears a leather collar around its neck."
    server = serve({"match": "region/11/0", "answer": text}, {"match": "/judge/", "yes": 0.9})
    made = recap(owner, server, judge=server, kept=BOTH, captioning=QUIET)
    assert made.captions()["11"] == text.partition(". ")[2]
    asked = [line["prompt"] for line in server.log() if "11/judge/" in line["id"]]
    assert len(asked) == 2
    assert not any("lower right" in prompt for prompt in asked)
    assert verify(str(made.folder)).problems == []


def test_without_the_option_they_stay(owner, serve, recap) -> None:
    text = f"The blue dog lies in the lower right. {REST}"
    server = serve({"match": "region/11/", "answer": text})
    assert recap(owner, server, captioning=QUIET).captions()["11"] == text
