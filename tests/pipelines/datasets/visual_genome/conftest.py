"""Real annotations of Visual Genome in the owner's layout, and what is built from them.

The real pictures are not there: stand-ins of the stated sizes are drawn in their place.
"""

import json
from pathlib import Path

import pytest
from PIL import Image

VERSIONS = {"1.0": ("v1.0", "v1.0"), "1.2": ("v1.2", "v1.2"), "1.4": ("v1.2", "v1.4")}


def lay_out(samples: Path, root: Path, regions: str, relationships: str) -> Path:
    """The real files of a version, with stand-ins for the pictures."""
    real, folder = samples / "visual_genome", root / "visual_genome"
    for name in ("VG_100K", "VG_100K_2"):
        (folder / name).mkdir(parents=True)
    (folder / "image_data.json").symlink_to(real / "v1.2" / "image_data.json")
    for name, version in (("region_descriptions", regions), ("relationships", relationships)):
        (folder / f"{name}.json").symlink_to(real / version / f"{name}.json")
    for image in json.loads((folder / "image_data.json").read_text()):
        size = image["width"], image["height"]
        path = "/".join(image["url"].split("/")[-2:])
        Image.new("RGB", size, (image["image_id"] * 40, 90, 30)).save(folder / path)
    return root


@pytest.fixture(scope="session", params=VERSIONS)
def real(request, samples, tmp_path_factory, run_build):
    """A data root with the files of a version, and what is built from it without a cap on boxes."""
    root = lay_out(samples, tmp_path_factory.mktemp("root"), *VERSIONS[request.param])
    return root, run_build(root, request={"name": "visual_genome"}, per_image=10_000, guard=False)


@pytest.fixture(scope="session")
def turns_in():
    """Reads an output: image, regions asked about in order of mention, and answer of each turn."""

    def read(output, task):
        return [
            (
                row["id"].split("/")[2],
                [row["regions"][int(piece.split(">")[0]) - 1] for piece in pieces],
                row["messages"][2 * turn + 1]["content"],
            )
            for row in output.rows()
            for turn, turn_task in enumerate(row["turn_tasks"])
            if turn_task == task
            for pieces in [row["messages"][2 * turn]["content"].split("<region")[1:]]
        ]

    return read
