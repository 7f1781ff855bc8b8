"""LLaVA's pretraining captions, on real records and pictures, against a second reader."""

import json
from collections import Counter
from functools import partial

import pytest
from datasets import load_dataset
from PIL import Image

from pipelines.verify import verify
from schemas.errors import UsageError


@pytest.fixture(scope="module")
def build_it(build_source):
    return partial(build_source, "llava_pretrain")


@pytest.fixture(scope="module")
def owner(samples, tmp_path_factory):
    """Lays out real records below a data root: those with a picture, or all."""

    def lay_out(name="blip_laion_cc_sbu_subset.json"):
        root, real = tmp_path_factory.mktemp("root"), samples / "llava_pretrain"
        folder = root / "llava_pretrain"
        folder.mkdir()
        (folder / "images").symlink_to(real / "images")
        (folder / "blip_laion_cc_sbu_558k.json").write_bytes((real / name).read_bytes())
        return root

    return lay_out


@pytest.fixture(scope="module")
def built(owner, build_it):
    return build_it(owner())


def second_reader(root):
    """Request, caption and size of every record that has its picture, by the picture's name."""
    folder = root / "llava_pretrain"
    records = json.loads((folder / "blip_laion_cc_sbu_558k.json").read_text("utf-8"))
    kept, missing = {}, 0
    for record in records:
        path = folder / "images" / record["image"]
        if not path.exists():
            missing += 1
            continue
        human, gpt = record["conversations"]
        request = human["value"].replace("<image>", "").strip()
        with Image.open(path) as picture:
            size = picture.size
        kept[record["image"]] = request, gpt["value"].strip(), size
    return kept, missing


def read_back(built):
    captions = {}
    for row in built.rows():
        user, assistant = row["messages"]
        token, request = user["content"].split("\n", 1)
        assert token == "<image>"
        assert (row["task"], row["turn_tasks"]) == ("image_caption", ["image_caption"])
        assert row["regions"] == []
        assert row["provenance"]["prompts"] == ["owner"]
        captions[row["image"]["path"]] = (
            request,
            assistant["content"],
            (row["width"], row["height"]),
        )
    return captions


def test_a_second_reader_agrees_on_every_real_picture(owner, built):
    kept, missing = second_reader(owner())
    assert len(kept) == 28
    assert missing == 0
    assert read_back(built) == kept
    assert built.rejected() == []
    assert verify(str(built.folder)).problems == []


def test_a_second_reader_agrees_on_the_whole_slice(owner, build_it):
    root = owner("blip_laion_cc_sbu_2k.json")
    built = build_it(root)
    kept, missing = second_reader(root)
    assert read_back(built) == kept
    assert len(kept) + missing == 2_183
    reasons = Counter((kind, reason) for kind, _, reason in built.rejected())
    assert reasons == {("image", "image_missing"): missing}
    assert built.with_image() == {"dialogue": missing}


def test_pictures_are_the_owners_bytes(owner, built):
    folder = owner() / "llava_pretrain" / "images"
    for row in built.rows():
        assert row["image"]["bytes"] == (folder / row["image"]["path"]).read_bytes()


def test_load_dataset_opens_it(built, tmp_path):
    loaded = load_dataset(str(built.folder), "llava_pretrain", cache_dir=str(tmp_path))
    assert loaded.num_rows == {"train": 28}
    assert min(loaded["train"][0]["image"].size) == 336


def test_parts_and_order_make_no_difference(owner, build_it, built, in_parts):
    assert build_it(owner(), launch_options=in_parts).digests() == built.digests()
    root = owner()
    file = root / "llava_pretrain" / "blip_laion_cc_sbu_558k.json"
    records = json.loads(file.read_text("utf-8"))
    file.write_text(json.dumps(records[::-1], indent=1), encoding="utf-8")
    assert build_it(root).digests() == built.digests()


def test_shards_are_sized_by_their_pictures(owner, build_it, built):
    weight = sum(row["image"]["bytes"].__len__() for row in built.rows())
    assert len(build_it(owner(), shard_bytes=weight // 4).digests()) >= 4


def test_the_plain_template_has_no_request(owner, build_it):
    root = owner()
    plain = build_it(root, plain_captions=True)
    assert verify(str(plain.folder)).problems == []
    captions = {name: caption for name, (_, caption, _) in second_reader(root)[0].items()}
    assert {
        row["image"]["path"]: [message["content"] for message in row["messages"]]
        for row in plain.rows()
    } == {name: ["<image>", caption] for name, caption in captions.items()}


@pytest.mark.parametrize(
    ("style", "before"),
    [
        ("regiongpt", "<image>"),
        ("gpt4roi", "The <image> provides an overview of the picture."),
    ],
)
def test_the_owner_may_use_the_plain_template(owner, build_it, style, before):
    root = owner()
    file = root / "llava_pretrain" / "blip_laion_cc_sbu_558k.json"
    records = json.loads(file.read_text("utf-8"))
    for record in records:
        record["conversations"][0]["value"] = "<image>"
    file.write_text(json.dumps(records), encoding="utf-8")
    built = build_it(root, style=style)
    assert built.rejected() == []
    assert verify(str(built.folder)).problems == []
    assert sorted([turn["content"] for turn in row["messages"]] for row in built.rows()) == sorted(
        [before, caption] for _, caption, _ in second_reader(root)[0].values()
    )


def test_the_plain_template_is_not_of_the_other_style(owner, build_it):
    with pytest.raises(UsageError, match="plain captions"):
        build_it(owner(), plain_captions=True, style="gpt4roi")


def test_several_rounds_are_no_caption(owner, build_it):
    root = owner()
    file = root / "llava_pretrain" / "blip_laion_cc_sbu_558k.json"
    records = json.loads(file.read_text("utf-8"))
    records[3]["conversations"] += [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]
    file.write_text(json.dumps(records), encoding="utf-8")
    built = build_it(root)
    assert built.rejected() == [
        ("dialogue", records[3]["id"], "malformed"),
        ("image", records[3]["image"], "no_regions"),
    ]
    assert len(built.rows()) == 27
