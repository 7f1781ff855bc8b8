"""Whole runs whose answers have several parts: by a schema, or without one, read leniently."""

import json

import pytest

from pipelines.verify import verify

STRUCTURED = {"structured": True, "global_caption": False}
PARTS = {
    "phrase": "a small dog with a collar",
    "sentence": "A small dog stands beside a wall.",
    "paragraph": "The small dog stands beside a wall of bricks. Its coat is brown and short, and "
    "it wears a collar of leather.",
    "attributes": {"colour": ["brown"], "material": [], "shape": [], "state": ["standing"]},
}


def described(output):
    """The regions of an output with all that was said of them, by id."""
    rows = [row for row in output.rows() if row["task"] == "region_detailed_caption"]
    return {region["region_id"]: region for row in rows for region in row["regions"]}


def test_one_call_gives_captions_and_attributes(coco_file, serve, recap) -> None:
    server = serve()
    captioned = recap(coco_file().good(1, 2).save(), server, captioning=STRUCTURED)
    assert len(server.log()) == len(described(captioned.output)) == 4
    formats = [line["parameters"]["response_format"] for line in server.log()]
    assert {each["type"] for each in formats} == {"json_schema"}
    schema = formats[0]["json_schema"]["schema"]
    assert list(schema["properties"]) == ["phrase", "sentence", "paragraph", "attributes"]
    for region in described(captioned.output).values():
        kinds = [caption["kind"] for caption in region["captions"]]
        assert kinds == ["phrase", "sentence", "paragraph"]
        assert region["caption"] == region["captions"][-1]["text"]
        assert {each["name"] for each in region["attributes"]} == {"colour", "shape", "state"}
    assert verify(str(captioned.folder)).problems == []


def test_a_server_without_schemas_is_asked_without_one(coco_file, serve, recap, tmp_path) -> None:
    owner = coco_file().good(*range(1, 9)).save()
    whole = recap(owner, serve(), captioning=STRUCTURED, output=tmp_path / "with")
    server = serve(takes_schema=False)
    captioned = recap(owner, server, captioning=STRUCTURED, output=tmp_path / "without")
    assert captioned.output.digests() == whole.output.digests()
    refused = [line for line in server.log() if line["status"] == 400]
    assert 1 <= len(refused) <= 4, "those in flight"
    assert captioned.rejected() == {}
    assert {line["type"] for line in captioned.journal()} == {"answer"}
    assert set(server.answered().values()) == {1}


@pytest.mark.parametrize(
    ("answer", "kinds"),
    [
        (json.dumps(PARTS), 3),
        (f"Here it is:\n```json\n{json.dumps(PARTS, indent=2)}\n```", 3),
        (f"{PARTS['paragraph']}", 1),
        (json.dumps({**PARTS, "phrase": "I'm sorry, I cannot help."}), 2),
    ],
)
def test_answers_in_other_forms(coco_file, serve, recap, answer, kinds) -> None:
    server = serve({"match": "region/11/0", "answer": answer})
    captioned = recap(coco_file().good(1).save(), server, captioning=STRUCTURED)
    region = described(captioned.output)["11"]
    assert region["caption"] == PARTS["paragraph"]
    assert len(region["captions"]) == kinds
    assert len(region["attributes"]) == (0 if kinds == 1 else 2)
    assert len(server.log()) == 2


@pytest.mark.parametrize("answer", ['{"phrase": "a dog", "sentence": "A dog st', "empty"])
def test_an_answer_that_is_no_caption_is_asked_again(coco_file, serve, recap, answer) -> None:
    server = serve({"match": "region/11/0", "answer": answer})
    captioned = recap(coco_file().good(1).save(), server, captioning=STRUCTURED)
    assert captioned.noted()["recapd/train/1/region/11/1"] == 1
    assert len(described(captioned.output)["11"]["captions"]) == 3


def test_a_build_asks_in_detail_in_brief_and_about_attributes(
    coco_file, serve, command_line, output_of, tmp_path
) -> None:
    owner, server = coco_file().good(1, 2, 3).save(), serve()
    own = ["--coco-annotations", owner.file, "--coco-images", owner.pictures, "--source"]
    words = ["--endpoint", server.url, "--model", "stub", "--structured", "--no-global-caption"]
    out = ["--no-filter", "--output", tmp_path / "recapd"]
    done = command_line("recap", *own, "coco", *words, *out)
    assert done.returncode == 0, done.stderr
    build = ["build", "--sources", "coco", *own[:-1], "--recapd", tmp_path / "recapd"]
    built = command_line(*build, "--output", tmp_path / "built")
    assert built.returncode == 0, built.stderr
    assert "captions for 6 of 6 drawn regions" in built.stdout
    assert verify(str(tmp_path / "built")).problems == []

    assert output_of(tmp_path / "built").rejected() == []
    captioned = described(output_of(tmp_path / "recapd"))
    answers: dict[str, dict[str, str]] = {}
    for row in output_of(tmp_path / "built").rows():
        for turn, task in enumerate(row["turn_tasks"]):
            request, answer = (row["messages"][2 * turn + side]["content"] for side in (0, 1))
            number = int(request.partition("<region")[2].partition(">")[0])
            answers.setdefault(task, {})[row["regions"][number - 1]["region_id"]] = answer
    assert answers.keys() >= {"region_detailed_caption", "region_caption", "region_attribute"}
    for key, region in captioned.items():
        texts = {caption["kind"]: caption["text"] for caption in region["captions"]}
        assert answers["region_detailed_caption"][key] == texts["paragraph"]
        assert answers["region_caption"][key] in {texts["phrase"], texts["sentence"]}
        values = {attribute["value"] for attribute in region["attributes"]}
        assert answers["region_attribute"][key] in values
