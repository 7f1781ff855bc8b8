"""The guard's lists: what each holds, and what a build says of one that is not there.

Length: all lists share one world.
"""

import json
import pickle
import shutil

import pytest

from pipelines.cli import parser as cli
from pipelines.datasets.spec import SourceRequest
from pipelines.datasets.visual_genome import test_split as visual_genome_split
from pipelines.guard import check_guard
from pipelines.plan import make_plan
from pipelines.recipes.recipe import Recipe
from schemas.errors import InputFileError, UsageError
from schemas.ledger import Ledger

LISTS = {  # what each is made of, below the data root
    "refcoco": ["refcoco/refs(unc).p"],
    "refcoco_plus": ["refcoco+/refs(unc).p"],
    "refcocog": ["refcocog/refs(umd).p"],
    "coco_val2017": ["coco/annotations/instances_val2017.json", "coco/val2017"],
    "visual_genome_test": ["visual_genome/image_data.json"],
    "flickr30k": ["flickr30k_entities/val.txt", "flickr30k_entities/test.txt"],
    "pope": [f"pope/coco_pope_{split}.json" for split in ("random", "popular", "adversarial")],
    "dlc_bench": ["dlc_bench/annotations.json"],
    "gar_bench": [f"gar_bench/GAR-Bench-{name}.json" for name in ("VQA", "Caption-Simple")],
}
NEEDED = ("coco/annotations/instances_train2017.json", "coco/train2017", "visual_genome/VG_100K")
COCO = SourceRequest(name="coco", label_set="Shapes-15")


@pytest.fixture
def world(sample_world, tmp_path):
    """A data root to spoil: COCO's split to train on, and everything that lists are made of."""
    root = tmp_path / "root"
    for name in (*NEEDED, *(path for paths in LISTS.values() for path in paths)):
        source, target = sample_world / name, root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if source.is_dir() else shutil.copyfile
        copy(source, target)
    return root


def guard_of(root, *sources, **options):
    recipe = Recipe(sources=sources or (COCO,), **options)
    return make_plan(recipe, str(root), f"{root}/../out").guard


def remove(root, name):
    for path in (root / place for place in LISTS[name]):
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def read(path):
    return json.loads(path.read_bytes())


def refs_of(root, name):
    return pickle.loads((root / LISTS[name][0]).read_bytes())


def test_each_list_holds_what_its_owner_says(world):
    held_out = {
        name: {f"coco/{ref['image_id']}" for ref in refs_of(world, name) if ref["split"] != "train"}
        for name in ("refcoco", "refcoco_plus", "refcocog")
    }
    val = read(world / LISTS["coco_val2017"][0])["images"]
    lines = [
        json.loads(line)
        for path in LISTS["pope"]
        for line in (world / path).read_text(encoding="utf-8").splitlines()
    ]
    photos = [path for name in LISTS["flickr30k"] for path in (world / name).read_text().split()]
    expected = held_out | {
        "coco_val2017": {f"coco/{image['id']}" for image in val},
        "flickr30k": {f"flickr/{photo}" for photo in photos},
        "pope": {f"coco/{int(line['image'][-16:-4])}" for line in lines},
    }
    guard = guard_of(world)
    lists = {item.name: item for item in guard.lists}
    assert list(lists) == list(LISTS)
    assert {name: lists[name].pictures for name in expected} == {
        name: len(names) for name, names in expected.items()
    }
    assert set().union(*expected.values()) <= guard.forbidden.keys()
    for name, of in guard.forbidden.items():
        if name.startswith(("coco/", "flickr/")) and of != "visual_genome_test":
            assert name in expected[of]
    assert not [item for item in lists.values() if item.missing]
    check_guard(guard, Recipe(sources=(COCO,)))


@pytest.mark.parametrize("name", LISTS)
def test_a_list_that_is_missing_is_named_and_the_others_hold(world, name, capfd):
    whole = {item.name: item for item in guard_of(world).lists}
    remove(world, name)
    lists = {item.name: item for item in guard_of(world).lists}
    assert [item.name for item in lists.values() if item.missing] == [name]
    assert all(place in lists[name].missing for place in LISTS[name])
    assert str(world) not in lists[name].missing
    assert (lists[name].pictures, lists[name].sha256) == (0, "")
    for other in LISTS.keys() - {name, "visual_genome_test"}:
        # Without Visual Genome's file, no picture is known by its names there.
        assert lists[other].pictures == whole[other].pictures
        assert name == "visual_genome_test" or lists[other] == whole[other]
    output = world.parent / "out"
    words = ["build", "--sources", "coco", "--label-set", "S", "--data-root", str(world)]
    words += ["--output", str(output), "--images", "reference"]
    assert cli.run([*words, "--require-guard"]) != 0
    assert name in capfd.readouterr().err
    assert not output.exists()
    assert cli.run(words) == 0
    [line] = [line for line in capfd.readouterr().err.splitlines() if line.startswith("guard:")]
    held = [other for other, shown in lists.items() if shown.pictures]
    assert line == (
        f"guard: no training on {', '.join(held)}; missing lists: {name} "
        "(see `regionforge sources`)"
    )
    ledger = Ledger.model_validate_json((output / "ledger.json").read_bytes())
    assert list(lists.values()) == ledger.guard
    card = (output / "README.md").read_text(encoding="utf-8")
    assert f"| `{name}` | 0 |  | **not guarded**: {lists[name].missing} |" in card
    assert cli.run(["verify", str(output)]) == 0


def test_a_list_drawn_from_too_few_images_is_named_in_whole_words(world, capfd):
    path = world / "visual_genome" / "image_data.json"
    path.write_text(json.dumps(read(path)[:3]), encoding="utf-8")  # a twentieth of which is none
    (shown,) = [item for item in guard_of(world).lists if item.name == "visual_genome_test"]
    assert shown.missing == "no visual_genome/test_ids.txt"
    words = ["build", "--sources", "coco", "--label-set", "S", "--data-root", str(world)]
    assert cli.run([*words, "--output", f"{world}/../out", "--images", "reference"]) == 0
    lines = [line for line in capfd.readouterr().err.splitlines() if "visual_genome_test" in line]
    [line] = lines
    assert line.endswith("; missing lists: visual_genome_test (see `regionforge sources`)")


def test_without_any_list_one_line_says_so(world, capfd):
    for name in LISTS:
        remove(world, name)
    output = world.parent / "out"
    words = ["build", "--sources", "coco", "--label-set", "S", "--data-root", str(world)]
    assert cli.run([*words, "--output", str(output), "--images", "reference"]) == 0
    lines = [line for line in capfd.readouterr().err.splitlines() if line.startswith("guard:")]
    assert lines == [f"guard: missing lists: {', '.join(LISTS)} (see `regionforge sources`)"]
    card = (output / "README.md").read_text(encoding="utf-8")
    assert card.count("**not guarded**") == len(LISTS)
    assert cli.run(["verify", str(output)]) == 0


def test_the_line_is_short_and_its_details_are_asked_for(world, capfd):
    (world / "pope" / "coco_pope_popular.json").unlink()
    words = ["build", "--sources", "coco", "--label-set", "S", "--data-root", str(world)]
    words += ["--output", f"{world}/../out", "--dry-run"]
    assert cli.run(words) == 0
    plain = [line for line in capfd.readouterr().err.splitlines() if line.startswith("guard")]
    assert len(plain) == 1
    assert len(plain[0]) < 220
    assert "; missing lists: pope (in part) (see" in plain[0]
    assert cli.run([*words, "--verbose"]) == 0
    lines = capfd.readouterr().err.splitlines()
    details = [line for line in lines if "guard, " in line]
    assert len(details) == len(LISTS)
    assert any("pope: 23 pictures; no pope/coco_pope_popular.json" in line for line in details)


def test_a_part_of_a_list_that_is_missing_is_named(world):
    (world / "flickr30k_entities" / "val.txt").unlink()
    (world / "pope" / "coco_pope_popular.json").unlink()
    guard = guard_of(world)
    lists = {item.name: item for item in guard.lists}
    assert lists["flickr30k"].missing == "no flickr30k_entities/val.txt"
    assert lists["flickr30k"].pictures == len(read_lines(world, "flickr30k_entities/test.txt"))
    assert lists["pope"].missing == "no pope/coco_pope_popular.json"
    assert lists["pope"].pictures
    with pytest.raises(UsageError, match=r"flickr30k \(no .*val.txt\); pope \(no .*popular"):
        check_guard(guard, Recipe(sources=(COCO,)))


def read_lines(root, name):
    return (root / name).read_text(encoding="utf-8").split()


def test_cocos_pictures_stand_in_for_its_file(world):
    (world / LISTS["coco_val2017"][0]).unlink()
    whole = {path.name for path in (world / "coco" / "val2017").iterdir()}
    train = COCO.model_copy(update={"splits": ("train",)})
    (guard_list,) = [item for item in guard_of(world, train).lists if item.name == "coco_val2017"]
    assert (guard_list.pictures, guard_list.missing) == (len(whole), "")
    assert "instances_val2017.json" in guard_list.note


def test_visual_genomes_split_by_list_and_by_hash(world):
    ids = {image["image_id"] for image in read(world / LISTS["visual_genome_test"][0])}
    by_hash = visual_genome_split.test_ids(ids, None, "")
    assert len(by_hash) == round(len(ids) * 5_000 / 108_077)
    guard = guard_of(world, seed=5)
    assert {f"visual_genome/{number}" for number in by_hash} <= guard.forbidden.keys()
    (guard_list,) = [item for item in guard.lists if item.name == "visual_genome_test"]
    assert guard_list.note == f"{len(by_hash)} images by hash: no visual_genome/test_ids.txt"
    assert by_hash == visual_genome_split.test_ids(sorted(ids, reverse=True), None, "")
    assert len(visual_genome_split.test_ids(range(100), None, "")) == 5  # of 4.63
    assert len(visual_genome_split.test_ids(range(108_077), None, "")) == 5_000
    assert len(visual_genome_split.test_ids(range(108_249), None, "")) == 5_000
    (world / "visual_genome" / "test_ids.txt").write_text("14\r\n\n 1 \n", encoding="utf-8-sig")
    guard = guard_of(world)
    (guard_list,) = [item for item in guard.lists if item.name == "visual_genome_test"]
    assert (guard_list.pictures, guard_list.note, guard_list.missing) == (2, "", "")
    assert {"visual_genome/1", "visual_genome/14"} <= guard.forbidden.keys()
    remove(world, "visual_genome_test")
    (guard_list,) = [item for item in guard_of(world).lists if item.name == "visual_genome_test"]
    assert (guard_list.pictures, guard_list.missing) == (
        2,
        "no images in visual_genome/image_data.json",
    )
    assert {"visual_genome/1.jpg", "visual_genome/14.jpg"} <= guard_of(world).forbidden.keys()


def test_a_picture_is_known_by_way_of_another_ones_names(world):
    images = [  # two of one picture of COCO's, one of which tells the photo
        {"image_id": number, "width": 9, "height": 9, "url": f"x/VG_100K/{number}.jpg"}
        | {"coco_id": 366141, "flickr_id": photo}
        for number, photo in ((1, 8331940980), (2, None))
    ]
    (world / LISTS["visual_genome_test"][0]).write_text(json.dumps(images), encoding="utf-8")
    (world / LISTS["flickr30k"][1]).write_text("8331940980\n", encoding="utf-8")
    assert guard_of(world).forbidden["visual_genome/2"] == "flickr30k"


def test_a_file_of_val2014_is_no_list_of_val2017(world):
    train, val = (str(world / "coco" / f"{split}.json") for split in ("train", "val"))
    shutil.copyfile(world / NEEDED[0], train)
    shutil.copyfile(world / NEEDED[0], val)
    paths = {"train": train, "val": val, "images": str(world / "coco" / "train2017")}
    of_2014 = COCO.model_copy(update={"year": 2014, "paths": paths})
    assert guard_of(world, of_2014).lists == guard_of(world).lists
    of_2017 = COCO.model_copy(update={"paths": paths})
    assert guard_of(world, of_2017).lists != guard_of(world).lists


def test_googles_splits_are_no_list(world):
    refs = refs_of(world, "refcocog")
    for ref in refs:
        ref["split"] = "val"
    google = world / "refcocog" / "refs(google).p"
    google.write_bytes(pickle.dumps(refs, 0))
    usual = guard_of(world).lists
    assert guard_of(world, guard_paths={"refcocog": {"refs": str(google)}}).lists == usual
    request = SourceRequest(name="refcocog", paths={"refs": str(google)})
    shutil.copyfile(world / NEEDED[0], world / "refcocog" / "instances.json")
    assert guard_of(world, COCO, request).lists == usual


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("refcoco/refs(unc).p", b"cos\nsystem\n(S'true'\ntR."),
        ("refcocog/refs(umd).p", b"(dp0\n."),
        ("coco/annotations/instances_val2017.json", b'{"images": ['),
        ("visual_genome/image_data.json", b"{}"),
        ("visual_genome/test_ids.txt", b"12\nVG_100K/13.jpg\n"),
        ("visual_genome/test_ids.txt", b"\n"),
        ("visual_genome/test_ids.txt", b"\xff\xfe"),
        ("flickr30k_entities/val.txt", b""),
        ("pope/coco_pope_random.json", b"[]"),
    ],
)
def test_a_list_that_cannot_be_used_stops_the_build(world, path, content):
    (world / path).write_bytes(content)
    train = COCO.model_copy(update={"splits": ("train",)})
    with pytest.raises(InputFileError, match="--no-guard") as error:
        guard_of(world, train)
    assert path in str(error.value)
    assert guard_of(world, train, guard=False).lists == ()


def test_lists_may_lie_elsewhere(world, tmp_path):
    for name in LISTS:
        remove(world, name)
    flat = tmp_path / "val.json"
    record = {"img_id": "COCO_train2014_000000444010_3", "sents": "a cup", "bbox": [1, 2, 3, 4]}
    flat.write_text(json.dumps([record | {"height": 480, "width": 640}]), encoding="utf-8")
    guard = guard_of(world, guard_paths={"refcocog": {"val": str(flat)}})
    assert guard.forbidden == {"coco/444010": "refcocog"}
    (guard_list,) = [item for item in guard.lists if item.name == "refcocog"]
    assert guard_list.missing == "no test in refcocog/refs(umd).p"
    with pytest.raises(UsageError, match="there is no such file"):
        guard_of(world, guard_paths={"refcocog": {"val": f"{flat}x"}})
    with pytest.raises(UsageError, match=r"not asked for.*roles val, test, refs"):
        guard_of(world, guard_paths={"refcocog": {"instances": str(flat)}})
    with pytest.raises(UsageError, match="not asked for"):
        guard_of(world, guard_paths={"refcocog": {"val": str(flat)}}, guard=False)


def test_who_trains_on_nothing_is_not_guarded(two_splits):
    root, _ = two_splits
    assert guard_of(root).lists
    val = COCO.model_copy(update={"splits": ("val",)})
    assert guard_of(root, val) == guard_of(root, val, guard=False)
    assert guard_of(root, val).lists == ()
    evaluation = Recipe(sources=(val,), evaluation=True)
    assert make_plan(evaluation, str(root), "out").guard.lists == ()


def test_a_split_that_refs_lack_is_named(world):
    path = world / LISTS["refcoco"][0]
    refs = [ref for ref in refs_of(world, "refcoco") if ref["split"] not in ("testA", "testB")]
    path.write_bytes(pickle.dumps(refs, protocol=2))
    lists = {item.name: item for item in guard_of(world).lists}
    assert lists["refcoco"].missing == "no testA, testB in refcoco/refs(unc).p"
    assert lists["refcoco"].pictures


def test_a_guard_that_is_off_is_none_that_was_required(world):
    recipe = Recipe(sources=(COCO,), guard=False)
    with pytest.raises(UsageError, match="the guard is turned off, by --no-guard or the recipe"):
        check_guard(guard_of(world, guard=False), recipe)
