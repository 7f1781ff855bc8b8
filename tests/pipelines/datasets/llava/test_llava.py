"""LLaVA's conversations, in both of its files: one real record and others in its form."""

import json
from collections import Counter
from functools import partial

import pytest

from pipelines.datasets.llava.layout import open_records
from pipelines.datasets.llava.records import dialogue_of
from pipelines.verify import verify

MIX = {
    "coco/train2017/000000033471.jpg": "coco/train2017/000000033471.jpg",
    "gqa/images/2354786.jpg": "gqa/images/2354786.jpg",
    "ocr_vqa/images/1882931708.jpg": "ocr_vqa/images/1882931708.jpg",
    "textvqa/train_images/b4b0d62a5a3a5d1c.jpg": "textvqa/train_images/b4b0d62a5a3a5d1c.jpg",
    "vg/VG_100K/2315.jpg": "visual_genome/VG_100K/2315.jpg",
    "vg/VG_100K_2/107981.jpg": "visual_genome/VG_100K_2/107981.jpg",
}  # as the owner names them, and where they lie


@pytest.fixture
def mix(llava_file, samples):
    """The mix: the one real record, a record of every folder, and two that are text only."""
    real = (samples / "llava_instruct" / "mix665k_first_record.json").read_text("utf-8")
    llava_file.records = json.loads(real)
    for name, place in MIX.items():
        llava_file.picture(place)
        llava_file.record(name, "<image>\nWhat is it?", f"It is {name}.")
    llava_file.record(None, "Say hello.", "Hello.")
    llava_file.record(None, "Say bye.", "Bye.")
    return llava_file


@pytest.fixture
def build_it(build_source):
    return partial(build_source, "llava")


@pytest.fixture
def build_mix(build_it):
    def build(owner, **options):
        path = owner.save("llava_v1_5_mix665k")
        return build_it(owner.root, request={"paths": {"train": str(path)}}, **options)

    return build


def second_reader(records, root, style="regiongpt"):
    """Every conversation that must come through: where its picture lies, and its messages."""
    dialogues = []
    for item in records:
        texts = [turn["value"] for turn in item["conversations"]]
        place = item.get("image")
        if place is not None:
            place = MIX.get(place) or f"coco/train2017/{place}"
            if not (root / place).exists():
                continue
            request = texts[0].replace("<image>", "").strip()
            before = "<image>" if style == "regiongpt" else (
                "The <image> provides an overview of the picture."
            )  # fmt: skip
            texts[0] = f"{before}\n{request}" if request else before
        dialogues.append((place or "", tuple(texts)))
    return sorted(dialogues)


@pytest.mark.parametrize("style", ["regiongpt", "gpt4roi"])
def test_a_second_reader_agrees_on_the_150k(instruct, build_it, style, said_in):
    instruct.save()
    built = build_it(instruct.root, style=style)
    assert said_in(built) == second_reader(instruct.records, instruct.root, style)
    assert {row["task"] for row in built.rows()} == {"image_conversation"}
    assert built.rejected() == []
    assert verify(str(built.folder)).problems == []


@pytest.mark.parametrize("style", ["regiongpt", "gpt4roi"])
def test_a_picture_may_be_shown_without_a_word(instruct, build_it, style, said_in):
    for name, texts in (("000000000003.jpg", []), ("000000000004.jpg", ["And?", "So."])):
        instruct.record(name, "<image>", f"A picture, {name}.", *texts)
        instruct.record(name, "\n<image>\n", f"Another, {name}.", *texts)
    instruct.save()
    built = build_it(instruct.root, style=style)
    assert said_in(built) == second_reader(instruct.records, instruct.root, style)
    assert built.rejected() == []
    assert verify(str(built.folder)).problems == []


def test_a_second_reader_agrees_on_the_mix(mix, build_mix, said_in):
    built = build_mix(mix)
    assert said_in(built) == second_reader(mix.records, mix.root)
    assert built.rejected() == []
    assert verify(str(built.folder)).problems == []


def test_the_real_record_comes_through_whole(mix, build_mix):
    (real,) = [row for row in build_mix(mix).rows() if "bus in the image is" in str(row)]
    assert [message["content"] for message in real["messages"]] == [
        "<image>\nWhat are the colors of the bus in the image?",
        "The bus in the image is white and red.",
        "What feature can be seen on the back of the bus?",
        "The back of the bus features an advertisement.",
        "Is the bus driving down the street or pulled off to the side?",
        "The bus is driving down the street, which is crowded with people and other vehicles.",
    ]
    assert real["id"].startswith("llava/train/coco/train2017/000000033471.jpg/image_conversation/")


def test_text_only_records_have_no_image(mix, build_mix):
    rows = [row for row in build_mix(mix).rows() if row["image"] is None]
    assert len(rows) == 2
    assert {(row["width"], row["height"]) for row in rows} == {(None, None)}
    assert all("<image>" not in str(row["messages"]) for row in rows)


def test_order_and_parts_make_no_difference(mix, build_mix, in_parts):
    mix.records[2]["id"] = mix.records[3]["id"] = "the same"
    before = build_mix(mix)
    assert build_mix(mix, launch_options=in_parts).digests() == before.digests()
    mix.records.reverse()
    assert build_mix(mix).digests() == before.digests()


def test_a_limit_takes_pictures_with_all_their_conversations(instruct, build_it, in_parts):
    instruct.save()
    built = build_it(instruct.root, limit=2)
    names = Counter(row["image"]["path"] for row in built.rows())
    assert len(names) == 2
    for name, number in names.items():
        assert number == sum(name.endswith(item["image"]) for item in instruct.records)
    ledger = built.ledger()
    assert ledger == build_it(instruct.root, limit=2, launch_options=in_parts).ledger()


def test_a_gif_under_another_name_is_kept(mix, build_mix, said_in):
    mix.picture(MIX["ocr_vqa/images/1882931708.jpg"], "GIF")
    built = build_mix(mix)
    assert said_in(built) == second_reader(mix.records, mix.root)
    assert verify(str(built.folder)).problems == []


def test_a_folder_that_is_missing_takes_only_its_own(mix, build_mix, said_in):
    for path in (mix.root / "ocr_vqa" / "images").iterdir():
        path.unlink()
    (mix.root / "ocr_vqa" / "images").rmdir()
    built = build_mix(mix)
    assert said_in(built) == second_reader(mix.records, mix.root)
    assert [reason for _, _, reason in built.rejected()] == ["image_missing"]
    assert built.with_image() == {"dialogue": 1}


def test_an_id_that_is_a_picture_elsewhere(mix, build_mix):
    mix.record(None, "a", "b", id="gqa/images/2354786.jpg")
    built = build_mix(mix)
    assert built.rejected() == [("image", "gqa/images/2354786.jpg", "duplicate_id")]
    assert built.with_image() == {"dialogue": 2}
    mix.records.reverse()
    assert build_mix(mix).rejected() == built.rejected()


def test_reading_again_says_the_same(instruct, build_it):
    instruct.save()
    first, second = build_it(instruct.root), build_it(instruct.root)
    assert first.digests() == second.digests()


def test_records_that_grow_when_read_again_would_be_noticed(
    instruct, build_it, monkeypatch, said_in
):
    """As in the released code, whose stored records gain two turns with each visit."""
    instruct.save()
    grown: dict[bytes, int] = {}

    def growing(raw):
        dialogue = dialogue_of(raw)
        visits = grown[bytes(raw)] = grown.get(bytes(raw), 0) + 1
        rounds = (*dialogue.rounds, *dialogue.rounds[:1] * (visits - 1))
        return type(dialogue)(dialogue.id, rounds)

    mutated = partial(open_records, read=growing)
    monkeypatch.setattr("pipelines.datasets.llava.source.open_records", mutated)
    first = build_it(instruct.root)
    assert said_in(first) == second_reader(instruct.records, instruct.root)
    assert build_it(instruct.root).digests() != first.digests()


def test_the_mix_alone_is_read_and_said(mix, command_line, output_of, tmp_path):
    """Without the usual file; and an edition that is named is not replaced."""
    mix.save("llava_v1_5_mix665k")
    words = ["build", "--sources", "llava", "--data-root", mix.root, "--allow-missing"]
    done = command_line(*words, "--output", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert "splits: llava: mix665k is read, for lack of instruct_150k" in done.stderr
    output = output_of(tmp_path / "out")
    assert output.manifest().identity.sources["llava"].settings["edition"] == "mix665k"
    expected = second_reader(mix.records, mix.root)
    assert len(output.rows()) == len(expected)
    named = [*words, "--output", tmp_path / "other", "--edition"]
    assert "llava_instruct_150k.json" in command_line(*named, "instruct_150k").stderr
    unknown = command_line(*named, "llava=mix").stderr
    assert "--edition mix: source 'llava': expected one of instruct_150k, mix665k" in unknown
    mix.save()
    assert command_line(*words, "--output", tmp_path / "usual").returncode == 0
    usual = output_of(tmp_path / "usual").manifest().identity.sources["llava"].settings
    assert usual["edition"] == "instruct_150k"


def test_pictures_lie_where_users_have_them(llava_file, build_mix):
    """OCR-VQA's under the ending of their download, Visual Genome's in its other folder or one."""
    names = {
        "ocr_vqa/images/111.jpg": "ocr_vqa/images/111.gif",
        "ocr_vqa/images/222.jpg": "ocr_vqa/images/222.jpg",
        "vg/VG_100K/3.jpg": "visual_genome/VG_100K_2/3.jpg",
        "vg/VG_100K_2/4.jpg": "visual_genome/images/4.jpg",
    }
    for name, place in names.items():
        llava_file.picture(place)
        llava_file.record(name, "<image>\nWhat is it?", f"It is {name}.")
    built = build_mix(llava_file)
    assert sorted(row["image"]["path"] for row in built.rows()) == sorted(names.values())
    assert built.rejected() == []
    assert built.repaired() == {("image", "image_name_matched"): 3}
