"""Models that think aloud: a caption begins after the thoughts, in a rerun as well."""

SAID = "There is a small blue shape in front of a wall."
ANSWER = f"<think>\nA box, and in it I cannot see anything but blue.\n</think>\n\n{SAID}"


def test_captions_hold_no_thought(coco_file, serve, recap) -> None:
    owner, server = coco_file().good(1, 2).save(), serve({"answer": ANSWER})
    captioned = recap(owner, server)
    assert set(captioned.captions().values()) == {SAID}
    rows = captioned.output.rows()
    assert {row["provenance"]["global_caption"] for row in rows} == {SAID}
    assert {line["answer"]["text"] for line in captioned.journal()} == {ANSWER}

    # What is written down is the answer as it came, so that it is read anew.
    written, asked = captioned.output.digests(), server.answered()
    for shard in captioned.folder.rglob("*.arrow"):
        shard.unlink()
    again = recap(owner, server)
    assert (again.output.digests(), server.answered()) == (written, asked)
