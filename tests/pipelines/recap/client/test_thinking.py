"""Models that think aloud: a caption begins after the thoughts, in a rerun as well."""

SAID = "There is a small blue shape in front of a wall, with even sides and a thin dark rim."
WHOLE = "Several plain things of many colours lie on a table in a large and quiet room."
THOUGHT = "<think>\nA box, and in it I cannot see anything but blue.\n</think>\n\n"


def test_captions_hold_no_thought(coco_file, serve, recap) -> None:
    rules = {"match": "/region/", "answer": THOUGHT + SAID}, {"answer": THOUGHT + WHOLE}
    owner, server = coco_file().good(1, 2).save(), serve(*rules)
    captioned = recap(owner, server)
    assert set(captioned.captions().values()) == {SAID}
    rows = captioned.output.rows()
    assert {row["provenance"]["global_caption"] for row in rows} == {WHOLE}
    texts = {line["answer"]["text"] for line in captioned.journal()}
    assert texts == {THOUGHT + SAID, THOUGHT + WHOLE}

    # What is written down is the answer as it came, so that it is read anew.
    written, asked = captioned.output.digests(), server.answered()
    for shard in captioned.folder.rglob("*.arrow"):
        shard.unlink()
    again = recap(owner, server)
    assert (again.output.digests(), server.answered()) == (written, asked)
