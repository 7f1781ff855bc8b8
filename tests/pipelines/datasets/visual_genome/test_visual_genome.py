"""Visual Genome's parser on files made for the purpose: what is odd in them spoils only itself.

Length: all cases change one small drawn data root.
"""

import re

import pytest

from pipelines.datasets.spec import SourceRequest
from pipelines.datasets.visual_genome import source as visual_genome
from pipelines.datasets.visual_genome.aliases import parse_aliases
from pipelines.datasets.visual_genome.pictures import FOLDERS
from pipelines.locate import locate_splits, missing_files
from pipelines.recipes.recipe import Recipe
from pipelines.recipes.resolve import resolve
from pipelines.verify import verify
from schemas.errors import BuildError, InputFileError, UsageError
from schemas.rejection import Repair
from schemas.sample import Task
from schemas.style import Style
from tests.pipelines.datasets.visual_genome.drawn_files import URL, Files


@pytest.fixture
def files(tmp_path):
    return Files(tmp_path)


@pytest.fixture
def built(run_build):
    """Builds the files, without a cap on boxes, and checks that the books balance."""

    def run(files, **options):
        options = {"request": {"name": "visual_genome"}, "per_image": 1000} | options
        output = run_build(files.save().root, guard=False, **options)
        output.ledger()
        assert verify(str(output.folder)).problems == []
        return output

    return run


def turns(output, task):
    """Answers of a task, with the ids of the regions that are asked about."""
    pairs = []
    for row in output.rows():
        for k, turn_task in enumerate(row["turn_tasks"]):
            if turn_task == task:
                request, answer = (row["messages"][2 * k + n]["content"] for n in (0, 1))
                numbers = map(int, re.findall(r"<region(\d+)>", request))
                ids = [row["regions"][number - 1]["region_id"] for number in numbers]
                pairs.append((sorted(ids), answer))
    return sorted(pairs)


def test_good_files(files, built):
    output = built(files.good())
    assert output.rejected() == []
    assert turns(output, Task.REGION_CAPTION) == [
        ([str(number)], f"thing {number}") for number in (11, 12, 21, 22)
    ]
    assert (
        turns(output, Task.REGION_RELATIONSHIP)
        == [(["object/1", "object/2"], "The man is on the horse.")] * 2
    )
    assert {row["task"] for row in output.rows()} == {"region_caption", "region_relationship"}
    assert {row["licence"] for row in output.rows()} == {"CC BY 4.0"}
    regions = {region["region_id"]: region for row in output.rows() for region in row["regions"]}
    assert regions["12"]["bbox"] == [9, 6, 29, 16]
    assert regions["12"]["category"] is None
    assert regions["object/2"]["category"] == "horse"
    assert regions["object/2"]["bbox"] == [2, 2, 11, 14]


def test_relationships_are_optional(files, built):
    files.good().save()
    (files.folder / "relationships.json").unlink()
    request = SourceRequest(name="visual_genome")
    (located,) = locate_splits(str(files.root), request)
    assert missing_files(located) == []
    files.save = lambda: files
    output = built(files)
    assert {row["task"] for row in output.rows()} == {"region_caption"}
    assert len(turns(output, Task.REGION_CAPTION)) == 4


def test_required_files_are_named(tmp_path, run_build):
    (tmp_path / "visual_genome" / "VG_100K").mkdir(parents=True)
    with pytest.raises(UsageError, match=r"image_data\.json.*region_descriptions\.json.*Get it"):
        run_build(tmp_path, request={"name": "visual_genome"}, guard=False)


def test_any_file_can_lie_elsewhere(files, built, tmp_path):
    files.good().save()
    moved = files.folder.rename(tmp_path / "elsewhere")
    names = (*visual_genome.REQUIRED, "relationships.json")
    paths = {name.partition(".")[0]: str(moved / name) for name in names}
    files.save = lambda: files
    request = {"name": "visual_genome", "paths": paths | {"images": str(moved)}}
    assert len(built(files, request=request).rows()) == 4


@pytest.mark.parametrize("drawn_in", FOLDERS)
@pytest.mark.parametrize("folder", [*FOLDERS, "somewhere"])
def test_pictures_are_looked_for_in_both_folders(files, built, folder, drawn_in):
    files.picture(1, folder, drawn_in)
    files.region(11)
    (row,) = built(files).rows()
    assert row["image"]["path"] == f"{drawn_in}/1.jpg"


def test_all_pictures_in_one_folder_that_is_given(files, built, tmp_path):
    files.good(1, 2)
    folder = tmp_path / "all"
    folder.mkdir()
    for number in (1, 2):
        (files.folder / "VG_100K" / f"{number}.jpg").rename(folder / f"{number}.jpg")
    request = {"name": "visual_genome", "paths": {"images": str(folder)}}
    rows = built(files, request=request).rows()
    assert {row["image"]["path"] for row in rows} == {"1.jpg", "2.jpg"}


def test_the_name_is_that_of_the_url(files, built):
    files.picture(1)
    files.region(11)
    (files.folder / "VG_100K" / "1.jpg").rename(files.folder / "VG_100K" / "77.jpg")
    files.images[0]["url"] = f"{URL}/VG_100K_2/77.jpg"
    (row,) = built(files).rows()
    assert row["image"]["path"] == "VG_100K/77.jpg"


def test_bad_images(files, built):
    files.good(1, 2, 3, 4, 5, 6, 7)
    files.images[1]["url"] = f"{URL}/VG_100K/../../secret.jpg"
    files.images[2]["width"] = -1
    files.images[3]["url"] = ""
    (files.folder / "VG_100K" / "5.jpg").write_bytes(b"")
    del files.images[5]["url"]
    files.images.append(files.images[6] | {"width": 600})
    output = built(files)
    assert output.images() == ["1", "1", "7", "7"]
    reasons = {(kind, name, reason) for kind, name, reason in output.rejected() if kind == "image"}
    assert reasons == {
        ("image", "2", "image_missing"),
        ("image", "3", "image_bad_size"),
        ("image", "4", "image_missing"),
        ("image", "5", "image_empty"),
        ("image", "image_data[5]", "malformed"),
        ("image", "7", "duplicate_id"),
    }
    assert ("sentence", "61", "unknown_image") in output.rejected()
    assert output.with_image() == {"annotation": 8, "sentence": 8, "relationship": 4}


def test_bad_regions(files, built):
    files.picture(1)
    files.region(1)
    files.region(2, y=-904)
    files.region(3, x=-2, width=12, phrase="clipped on the left")
    files.region(4, height=0)
    files.region(5, width=-3)
    files.region(6, x=float("nan"))
    files.region(7, phrase=" \n ")
    files.region(8, phrase=None)
    files.region(9, x="4")
    files.region(10, image_id=2)
    files.regions[0]["regions"].append("not a region")
    files.region(11)
    del files.regions[0]["regions"][-1]["phrase"]
    files.region(12)
    del files.regions[0]["regions"][-1]["region_id"]
    output = built(files)
    place = "regions of image 1"
    pairs = {
        ("2", "box_outside", "region_rejected"),
        ("4", "box_zero_area", "region_rejected"),
        ("5", "box_inverted", "region_rejected"),
        ("6", "box_not_finite", "region_rejected"),
        ("7", "not_used", "text_empty"),
        ("10", "malformed", "malformed"),
        *((f"{place}[{number}]", "malformed", "malformed") for number in (7, 8, 10, 11, 12)),
    }
    assert output.rejected() == sorted(
        entry
        for name, region, sentence in pairs
        for entry in (("annotation", name, region), ("sentence", name, sentence))
    )
    assert turns(output, Task.REGION_CAPTION) == [
        (["1"], "thing 1"),
        (["3"], "clipped on the left"),
    ]
    assert output.repaired() == {("annotation", Repair.BOX_CLIPPED): 1}
    assert output.regions()["3"]["bbox"] == [0, 6, 10, 16]


def test_repeated_regions(files, built):
    files.picture(1)
    files.region(1, phrase="a  cat")
    files.region(2, phrase="A cat\n")
    files.region(3, phrase="a cat", x=30)
    files.region(4, phrase="b")
    files.region(4, phrase="a later text")
    files.regions.append({"id": "1", "regions": [{**files.regions[0]["regions"][3]}]})
    output = built(files)
    assert turns(output, Task.REGION_CAPTION) == [
        (["1"], "a cat"),
        (["3"], "a cat"),
        (["4"], "a later text"),
    ]
    twice = [("2", "duplicate"), ("4", "duplicate_id"), ("4", "duplicate_id")]
    assert output.rejected() == [
        (kind, *entry) for kind in ("annotation", "sentence") for entry in twice
    ]


def test_bad_records(files, built):
    files.good(1)
    files.regions += [7, {"id": 1}, {"id": 1, "regions": {}}, {"regions": [{"region_id": 5}, 3]}]
    files.regions.append({"id": 99, "regions": [{"region_id": 6}]})
    files.relationships.append({"relationships": [{"relationship_id": 8}, {"predicate": "on"}]})
    output = built(files)
    regions = [
        ("5", "malformed"),
        ("6", "unknown_image"),
        ("region_descriptions.json[1]", "malformed"),
        ("region_descriptions.json[2]", "malformed"),
        ("region_descriptions.json[3]", "malformed"),
        ("region_descriptions.json[4][1]", "malformed"),
    ]
    assert output.rejected() == [
        *(("annotation", *entry) for entry in regions),
        ("relationship", "relationship/8", "malformed"),
        ("relationship", "relationships.json[1][1]", "malformed"),
        *(("sentence", *entry) for entry in regions),
    ]
    assert len(output.rows()) == 2


def test_bad_relationships(files, built):
    files.picture(1)
    files.relates(1, (1, "man"), "riding", (2, "horse"))
    files.relates(2, (1, "man"), " Riding  A", (2, "horse"))
    files.relates(3, (1, "man"), "near", (1, "man"))
    files.relates(4, (1, "man"), "agaist", (2, "horse"))
    files.relates(5, (1, "man"), "near", (3, " "))
    files.relates(6, (1, "man"), "near", (2, "horse"), subject={"object_id": 1, "name": "man"})
    files.relates(7, (1, "man"), "near", (2, "horse"), object=files.end(2, None))
    files.relates(8, (1, "man"), "near", (2, "horse"), predicate=None)
    files.relates(9, (1, "man"), "near", (2, "horse"), object=files.end(4, "hat", w=0))
    files.relates(10, (1, "man"), "", (2, "horse"))
    files.relates(1, (1, "man"), "zigzag", (2, "horse"))
    output = built(files)
    place = "relationship/relationships of image 1"
    assert output.rejected() == sorted(
        [
            ("annotation", "object/3", "text_empty"),
            ("annotation", "object/4", "box_zero_area"),
            ("relationship", "relationship/1", "duplicate_id"),
            ("relationship", "relationship/2", "duplicate"),
            ("relationship", "relationship/3", "not_used"),
            ("relationship", "relationship/4", "not_used"),
            ("relationship", "relationship/5", "region_rejected"),
            ("relationship", f"{place}[5]", "malformed"),
            ("relationship", f"{place}[6]", "malformed"),
            ("relationship", f"{place}[7]", "malformed"),
            ("relationship", "relationship/9", "region_rejected"),
            ("relationship", "relationship/10", "text_empty"),
        ]
    )
    assert turns(output, Task.REGION_RELATIONSHIP) == [
        (["object/1", "object/2"], "The man is riding the horse.")
    ]


def test_an_id_of_several_things(files, built):
    """The same id with another name or box is another region; blanks are no other name."""
    files.picture(1)
    merged = {"merged_object_ids": [5], "names": ["horse", "pony"], "x": 20}
    horse = {key: value for key, value in (files.end(2, "") | merged).items() if key != "name"}
    files.relates(4, (2, "mare"), "near", (1, " guy "))
    files.relates(3, (1, "man"), "behind", (2, ""), object=horse)
    files.relates(2, (1, "man"), "near", (2, "mare"))
    files.relates(1, (1, "guy"), "riding", (2, "mare"))
    files.relates(5, (1, "guy"), "Near", (2, "mare"))
    files.relates(6, (1, "guy"), "near", (2, "mare"), subject=files.end(1, "guy", w=0))
    files.relates(7, (1, "man"), "behind", (1, "guy"))
    files.relates(8, (1, "man"), "behind", (1, "Man"), object=files.end(1, "Man", x=30))
    output = built(files)
    regions = {region["region_id"]: region for row in output.rows() for region in row["regions"]}
    assert {name: (region["category"], region["bbox"]) for name, region in regions.items()} == {
        "object/1/1": ("guy", [1, 2, 10, 14]),
        "object/1/2": ("man", [1, 2, 10, 14]),
        "object/2/1": ("mare", [2, 2, 11, 14]),
        "object/2/2": ("horse", [20, 2, 29, 14]),
    }
    assert turns(output, Task.REGION_RELATIONSHIP) == [
        (["object/1/1", "object/1/2"], "The man is behind the guy."),
        (["object/1/1", "object/2/1"], "The guy is near the mare."),
        (["object/1/1", "object/2/1"], "The guy is riding the mare."),
        (["object/1/1", "object/2/1"], "The mare is near the guy."),
        (["object/1/2", "object/2/1"], "The man is near the mare."),
        (["object/1/2", "object/2/2"], "The man is behind the horse."),
    ]
    assert output.rejected() == [
        ("annotation", "object/1/3", "box_zero_area"),
        ("annotation", "object/1/4", "not_used"),
        ("relationship", "relationship/6", "region_rejected"),
        ("relationship", "relationship/8", "not_used"),
    ]


def test_an_odd_id_meets_no_other(files, built):
    files.picture(1)
    files.relates(1, (1, "man"), "near", (2, "mare"))
    files.relates(2, (1, "guy"), "near", (2, "mare"))
    files.relates(3, (1, "man"), "near", (2, "mare"), subject=files.end(1, "dog", object_id="1/1"))
    assert turns(built(files), Task.REGION_RELATIONSHIP) == [
        (["object/1/1", "object/2"], "The man is near the mare."),
        (["object/1/1/1", "object/2"], "The dog is near the mare."),
        (["object/1/2", "object/2"], "The guy is near the mare."),
    ]


def test_ids_of_regions_and_objects_may_meet(files, built):
    files.picture(1)
    files.region(1)
    files.relates(1, (1, "man"), "on", (2, "horse"))
    output = built(files)
    assert {region["region_id"] for row in output.rows() for region in row["regions"]} == {
        "1",
        "object/1",
        "object/2",
    }
    assert output.rejected() == []


def test_aliases_tell_repeats_and_rewrite_nothing(files, built):
    files.picture(1)
    files.relates(1, (1, "Men"), "on top of", (2, "glasses"))
    files.relates(2, (1, "Men"), "Above  a", (2, "glasses"))
    files.relates(3, (1, "Men"), "over", (2, "glasses"))
    files.relates(4, (2, "glasses"), "above", (1, "Men"))
    (files.folder / "object_alias.txt").write_text("man,men\nglass,glasses\n")
    (files.folder / "predicate_alias.txt").write_text("above,on  Top of\n\nover,across\n")
    output = built(files)
    assert output.rejected() == [("relationship", "relationship/2", "duplicate")]
    assert turns(output, Task.REGION_RELATIONSHIP) == [
        (["object/1", "object/2"], "The Men are on top of the glasses."),
        (["object/1", "object/2"], "The Men are over the glasses."),
        (["object/1", "object/2"], "The glasses are above the Men."),
    ]
    names = {region["category"] for row in output.rows() for region in row["regions"]}
    assert names == {"Men", "glasses"}


def test_groups_of_aliases():
    """Lines with the same first are one group; a name in two of them joins no others."""
    lines = b"near,by\nNear,next to the\nnext to,are next to\n\n,,lone\na,b\nb,a\n"
    aliases = parse_aliases(lines, "alias.txt")
    assert {name: set(aliases.meanings(name)) for name in ("BY", "next  to", "are next to a")} == {
        "BY": {"near"},
        "next  to": {"near", "next to"},
        "are next to a": {"next to"},
    }
    assert aliases.meanings("b") == aliases.meanings("a")
    assert aliases.meanings("lone") == {"lone"}
    assert aliases.meanings(" ON a") == {"on"}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("image_data.json", b'[{"image_id": 1, "url"'),
        ("image_data.json", b'{"images": []}'),
        ("region_descriptions.json", b"PK\x03\x04"),
        ("region_descriptions.json", b'[{"id": 1, "regions": [{"region_id": 11,'),
        ("relationships.json", b""),
        ("predicate_alias.txt", b"near,nex\xff"),
    ],
)
def test_unusable_files_are_named(files, run_build, output_of, tmp_path, name, content):
    files.good().save()
    (files.folder / name).write_bytes(content)
    early, folder = name == "image_data.json", tmp_path / "output"
    with pytest.raises(InputFileError if early else BuildError, match=re.escape(name)) as raised:
        run_build(files.root, folder, request={"name": "visual_genome"}, guard=False)
    assert "xpected" in str(raised.value)
    if not early:  # nothing is counted as read and then lost
        assert output_of(folder).ledger().unreadable_files() == 1


def test_half_a_surrogate_pair_is_replaced(files, built):
    files.picture(1)
    files.region(1, phrase="a cat \ud83d here")
    files.region(2, x=9)
    assert turns(built(files), Task.REGION_CAPTION) == [
        (["1"], "a cat \N{REPLACEMENT CHARACTER} here"),
        (["2"], "thing 2"),
    ]


def test_limit_takes_images_by_hash(files, built):
    files.good(*range(1, 9))
    limited = [built(files, limit=3) for _ in range(2)]
    files.regions.reverse()
    files.images.reverse()
    limited.append(built(files, limit=3))
    assert len(set(limited[0].images())) == 3
    assert limited[0].digests() == limited[1].digests() == limited[2].digests()
    accounts = limited[0].ledger().sources["visual_genome"]["train"]["read"]
    assert {kind: (one.read, one.kept, one.sampled_out) for kind, one in accounts.items()} == {
        "file": (1, 1, 0),
        "image": (8, 3, 5),
        "annotation": (16 + 6, 6 + 6, 10),
        "sentence": (16, 6, 10),
        "relationship": (8, 3, 5),
    }


def test_order_and_parts_decide_nothing(files, built, in_parts):
    files.good(*range(1, 9))
    files.regions.append({"id": 50, "regions": [{"region_id": 6}]})
    files.relates(77, (2, "dog"), "near", (1, "cat"), 3)
    plain = built(files)
    for record in files.regions:
        record["regions"].reverse()
    for record in files.relationships:
        record["relationships"].reverse()
    files.regions.reverse()
    files.relationships.reverse()
    files.images.reverse()
    turned = built(files, launch_options=in_parts)
    assert plain.digests() == turned.digests()
    assert plain.rejected() == turned.rejected()
    assert plain.ledger() == turned.ledger()


def test_style_gpt4roi_asks_for_captions_alone(files, built):
    output = built(files.good(), style=Style.GPT4ROI)
    assert {row["task"] for row in output.rows()} == {"region_caption"}
    assert {reason for _, _, reason in output.rejected()} == {"not_used"}


def test_caps_of_the_papers():
    sources = (SourceRequest(name="visual_genome"),)
    caps = {style: resolve(Recipe(sources=sources, style=style)).caps.per_image for style in Style}
    assert caps == {
        Style.REGIONGPT: {"visual_genome": 10},
        Style.GPT4ROI: {"visual_genome": 15},
    }


def test_the_sample_world(sample_world, built, run_build, in_parts):
    request = {"name": "visual_genome"}
    plain = run_build(sample_world, request=request)
    again = run_build(sample_world, request=request, launch_options=in_parts)
    assert plain.digests() == again.digests()
    assert plain.ledger() == again.ledger()
    assert verify(str(plain.folder)).problems == []
    assert {row["task"] for row in plain.rows()} == {"region_caption", "region_relationship"}
