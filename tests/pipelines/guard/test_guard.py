"""The guard: a picture that an evaluation is done on, planted under each name, is not trained on.

What is expected comes from the owners' files, read here with plain json and pickle.

Length: one world with planted pictures serves every test here.
"""

import json
import pickle
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from pipelines.datasets.spec import SourceRequest
from pipelines.plan import make_plan
from pipelines.recipes.recipe import Recipe
from pipelines.runner.launch import LaunchOptions, launch
from pipelines.verify import verify
from schemas.errors import BuildError
from schemas.ledger import Stage
from schemas.rejection import Kind, Reason

PHOTO = 8331940980
LABELLED = ("coco", "lvis")  # here under other names than their owners'


@dataclass
class World:
    """The sample world with no list but those that are planted."""

    root: Path
    whole: Path  # with all lists
    paths: dict[str, dict[str, str]] = field(default_factory=dict)  # of lists

    def read(self, name: str) -> Any:
        """Read a JSON file."""
        return json.loads((self.root / name).read_bytes())

    def write(self, name: str, content: Any) -> Path:
        """Write a JSON file, or lines."""
        path = self.root / name
        path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
        return path

    def ask(self, *numbers: int) -> None:
        """Plant a file of POPE's that asks about pictures of COCO."""
        lines = [
            {"question_id": n, "image": f"COCO_val2014_{n:012d}.jpg", "text": "?", "label": "no"}
            for n in numbers
        ]
        path = self.write("asked.json", "\n".join(map(json.dumps, lines)))
        self.paths["pope"] = {"random": str(path)}

    def test_on(self, *image_ids: int) -> None:
        """Plant Visual Genome's images to test on."""
        self.write("visual_genome/test_ids.txt", "\n".join(map(str, image_ids)))

    def test_on_photo(self, photo: int) -> None:
        """Plant a photo of Flickr in Flickr30k's split to test on."""
        self.paths["flickr30k"] = {"test": str(self.write("photos.txt", f"{photo}\n"))}

    def of_coco(self, number: int, **changes: Any) -> int:
        """Return the id of the picture of Visual Genome that is COCO's; change what is said."""
        images = self.read("visual_genome/image_data.json")
        (image,) = [image for image in images if image["coco_id"] == number]
        image |= changes
        self.write("visual_genome/image_data.json", images)
        return int(image["image_id"])

    def shared(self) -> int:
        """Return COCO's number of a picture that is in its split to train on and in VG."""
        images = self.read("coco/annotations/instances_train2017.json")["images"]
        boxed = {
            item["image_id"]
            for item in self.read("coco/annotations/instances_train2014.json")["annotations"]
            if not item["iscrowd"]
        }
        known = {image["coco_id"] for image in self.read("visual_genome/image_data.json")}
        return int(min({image["id"] for image in images} & boxed & known))


@pytest.fixture
def world(sample_world, tmp_path):
    root = tmp_path / "root"
    lists = shutil.ignore_patterns("pope", "gar_bench", "dlc_bench", "val2017")
    shutil.copytree(sample_world, root, ignore=lists)
    (root / "coco" / "annotations" / "instances_val2017.json").unlink()
    for name in ("val", "test"):
        (root / "flickr30k_entities" / f"{name}.txt").unlink()
    for path in root.glob("refcoco*/refs*.p"):
        refs = pickle.loads(path.read_bytes())
        path.write_bytes(pickle.dumps([ref for ref in refs if ref["split"] == "train"], 0))
    made = World(root, sample_world)
    made.test_on(999_999)
    return made


@pytest.fixture
def build(tmp_path, output_of):
    """Builds some sources of a data root, by reference."""

    def run(root, *names, launch_options=None, folder="out", **options):
        sources = tuple(
            name
            if isinstance(name, SourceRequest)
            else SourceRequest(name=name, label_set="Names" if name in LABELLED else None)
            for name in names
        )
        settings: dict[str, Any] = {"images": "reference", "allow_missing": True} | options
        recipe = Recipe(sources=sources, **settings)
        plan = make_plan(recipe, str(root), str(tmp_path / folder))
        launch(plan, launch_options or LaunchOptions())
        assert verify(str(tmp_path / folder)).problems == []
        return output_of(tmp_path / folder)

    return run


def pictures(output) -> dict[str, set[str]]:
    """The paths of the pictures in each split."""
    by_split: dict[str, set[str]] = {}
    for row in output.rows():
        at = f"{row['source']}/{row['split']}"
        by_split.setdefault(at, set()).add(row["image"]["path"] if row["image"] else "")
    return by_split


# Each plants something that an evaluation is done on, and returns what to build, and the pictures
# that no split to train on may then hold.
Planted = tuple[list[str | SourceRequest], dict[str, set[str]]]


def coco_2017(world: World) -> Planted:
    place = "refcoco/refs(unc).p"
    shutil.copyfile(world.whole / place, world.root / place)
    refs = pickle.loads((world.root / place).read_bytes())
    held_out = {ref["image_id"] for ref in refs if ref["split"] != "train"}
    return ["coco", "refcoco"], {"coco/train": names("coco/train2017/{:012}.jpg", held_out)}


def coco_2014(world: World) -> Planted:
    world.ask(number := world.shared())
    name = f"coco/train2014/COCO_train2014_{number:012}.jpg"
    return [SourceRequest(name="coco", year=2014, label_set="S")], {"coco/train": {name}}


def lvis(world: World) -> Planted:
    world.ask(number := world.shared())
    return ["lvis"], {"lvis/train": names("coco/train2017/{:012}.jpg", [number])}


def refcoco(world: World) -> Planted:
    refs = pickle.loads((world.root / "refcocog" / "refs(umd).p").read_bytes())
    number = min(ref["image_id"] for ref in refs)
    img_id = f"COCO_train2014_{number:012}_0"
    record = {"img_id": img_id, "sents": "it", "bbox": [0, 0, 9, 9], "height": 9, "width": 9}
    world.paths["refcoco_plus"] = {"val": str(world.write("val.json", [record]))}
    return ["refcocog"], {
        "refcocog/train": names("coco/train2014/COCO_train2014_{:012}.jpg", [number])
    }


def visual_genome_by_coco(world: World) -> Planted:
    world.ask(number := world.shared())
    path = vg_path(world, world.of_coco(number))
    return ["visual_genome"], {"visual_genome/train": {path}}


def visual_genome_by_photo(world: World) -> Planted:
    world.test_on_photo(PHOTO)
    path = vg_path(world, world.of_coco(world.shared(), flickr_id=PHOTO))
    return ["visual_genome"], {"visual_genome/train": {path}}


def visual_genome_in_coco(world: World) -> Planted:
    world.test_on(image_id := world.of_coco(number := world.shared()))
    both = SourceRequest(name="visual_genome", splits=("train", "test"))
    return ["coco", both], {
        "coco/train": names("coco/train2017/{:012}.jpg", [number]),
        "visual_genome/train": {vg_path(world, image_id)},
    }


def llava_bare(world: World) -> Planted:
    world.ask(number := world.shared())
    return ["llava"], {"llava/train": names("coco/train2017/{:012}.jpg", [number])}


def llava_mix(world: World) -> Planted:
    records = world.read("llava/llava_v1_5_mix665k.json")
    stems = {r["id"] for r in records if r.get("image", "").startswith("coco/")}
    world.ask(number := world.shared(), other := int(min(stems)))
    vg = vg_path(world, world.of_coco(number))
    expected = names("coco/train2017/{:012}.jpg", [number, other]) | {vg}
    return [SourceRequest(name="llava", edition="mix665k")], {"llava/train": expected}


def llava_visual_genome(world: World) -> Planted:
    """The id is not the file's name, and GQA's name is an id."""
    world.test_on(14, 2001)
    expected = {"visual_genome/VG_100K/900014.jpg", "gqa/images/2001.jpg"}
    return [SourceRequest(name="llava", edition="mix665k")], {"llava/train": expected}


def v3det(world: World) -> Planted:
    world.test_on_photo(PHOTO)
    return ["v3det"], {"v3det/train": {rename_in_v3det(world)}}


def v3det_by_coco(world: World) -> Planted:
    url = f"http://farm9.staticflickr.com/8081/{PHOTO}_ef74d48dff_z.jpg"
    image = {"id": 266409, "file_name": "000000266409.jpg", "flickr_url": url}
    path = world.write("instances.json", {"images": [image], "annotations": []})
    world.paths["coco"] = {"val": str(path)}
    return ["v3det"], {"v3det/train": {rename_in_v3det(world)}}


def rename_in_v3det(world: World) -> str:
    """Let a picture of V3Det's be the photo, and return its path."""
    place = "v3det/annotations/v3det_2023_v1_train.json"
    file = world.read(place)
    boxed = {item["image_id"] for item in file["annotations"] if not item["iscrowd"]}
    image = min((i for i in file["images"] if i["id"] in boxed), key=lambda i: int(i["id"]))
    name = f"images/n00000001/33_287_{PHOTO}_d787b4291b_c.jpg"
    (world.root / "v3det" / name).parent.mkdir(exist_ok=True)
    shutil.move(world.root / "v3det" / image["file_name"], world.root / "v3det" / name)
    image["file_name"] = name
    world.write(place, file)
    return f"v3det/{name}"


def flickr30k(world: World) -> Planted:
    photo = (world.root / "flickr30k_entities" / "train.txt").read_text("utf-8").split()[0]
    world.test_on(world.of_coco(world.shared(), flickr_id=int(photo)))
    name = f"flickr30k_entities/flickr30k-images/{photo}.jpg"
    return [SourceRequest(name="flickr30k", splits=("train",))], {"flickr30k/train": {name}}


def names(pattern: str, numbers: Iterable[int]) -> set[str]:
    return {pattern.format(number) for number in numbers}


def vg_path(world: World, image_id: int) -> str:
    images = world.read("visual_genome/image_data.json")
    (url,) = [image["url"] for image in images if image["image_id"] == image_id]
    return "visual_genome/" + "/".join(url.split("/")[-2:])


PLANTS = [
    coco_2017, coco_2014, lvis, refcoco, visual_genome_by_coco, visual_genome_by_photo,
    visual_genome_in_coco, llava_bare, llava_mix, llava_visual_genome, v3det,
    v3det_by_coco, flickr30k,
]  # fmt: skip


@pytest.mark.parametrize("plant", PLANTS)
def test_a_planted_picture_is_not_trained_on(world, build, plant: Callable[[World], Planted]):
    sources, expected = plant(world)
    everything = pictures(build(world.root, *sources, guard=False, folder="all"))
    output = build(world.root, *sources, guard_paths=world.paths)
    kept = pictures(output)
    removed = {at: gone for at in everything if (gone := everything[at] - kept[at])}
    assert removed == {at: paths & everything[at] for at, paths in expected.items()}
    assert all(removed.values())
    ledger = output.ledger()
    for at, paths in removed.items():
        source, split = at.split("/")
        account = ledger.account(source, split, Stage.GUARD, Kind.IMAGE)
        assert account.rejected[Reason.EVALUATION_IMAGE] >= len(paths)
        assert account.missing() == 0
    held_out = {at for at in everything if "/train" not in at}
    assert all(kept[at] == everything[at] for at in held_out)


def test_parts_make_no_difference(world, build, in_parts):
    world.ask(world.shared())
    sources = ["coco", "visual_genome", "llava"]
    one = build(world.root, *sources, guard_paths=world.paths)
    three = build(
        world.root, *sources, guard_paths=world.paths, folder="parts", launch_options=in_parts
    )
    assert one.digests() == three.digests()
    assert one.ledger() == three.ledger()
    assert one.rejected() == three.rejected()


def test_another_list_is_another_build(world, build):
    world.ask(number := world.shared())
    build(world.root, "coco", guard_paths=world.paths)
    build(world.root, "coco", guard_paths=world.paths)
    world.ask(number, 1)
    with pytest.raises(BuildError, match=r"coco: the pictures of evaluations in the guard \(coco"):
        build(world.root, "coco", guard_paths=world.paths)
    with pytest.raises(BuildError, match=r"coco: guard \(True, now False\), the pict"):
        build(world.root, "coco", guard=False)


def test_a_list_of_pictures_that_a_source_cannot_have_is_none_of_its_own(world, build):
    world.ask(world.shared())
    paths = {"flickr30k": {"val": str(world.root / "nobodys.txt")}}
    (world.root / "nobodys.txt").write_text("888888888\n")
    before = build(world.root, "coco", "v3det", guard_paths=paths | world.paths)
    (world.root / "nobodys.txt").write_text("999999999\n")
    with pytest.raises(BuildError, match=r"in v3det: the pictures of .* \(flickr\)\. Choose"):
        build(world.root, "coco", "v3det", guard_paths=paths | world.paths)
    replaced = LaunchOptions(rebuild=frozenset({"v3det"}))
    now = build(
        world.root, "coco", "v3det", guard_paths=paths | world.paths, launch_options=replaced
    )
    assert now.digests() == before.digests()


def test_splits_that_nothing_forbids_do_not_pass_the_guard(world, build):
    world.ask(world.shared())
    ledger = build(world.root, "coco", "llava_pretrain", guard_paths=world.paths).ledger()
    guarded = {key[:2] for key, _ in ledger.accounts() if key[2] is Stage.GUARD}
    assert guarded == {("coco", "train")}
