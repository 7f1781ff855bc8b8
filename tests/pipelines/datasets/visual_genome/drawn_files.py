"""A small data root in Visual Genome's layout, made for the purpose."""

import json
from typing import Any

from PIL import Image

from pipelines.datasets.visual_genome.pictures import FOLDERS

URL = "https://cs.stanford.edu/people/rak248"
SIZE = (60, 40)  # width, height of a picture; pixels


class Files:
    """A data root with Visual Genome's files; `save` writes them."""

    def __init__(self, root) -> None:
        self.root = root
        self.folder = root / "visual_genome"
        for name in FOLDERS:
            (self.folder / name).mkdir(parents=True)
        self.images: list[Any] = []
        self.regions: list[Any] = []
        self.relationships: list[Any] = []

    def picture(self, number, folder="VG_100K", drawn_in=None, **changes):
        Image.new("RGB", SIZE, (number, 90, 30)).save(
            self.folder / (drawn_in or folder) / f"{number}.jpg"
        )
        item = {"image_id": number, "url": f"{URL}/{folder}/{number}.jpg"}
        self.images.append(item | {"width": SIZE[0], "height": SIZE[1], "coco_id": None} | changes)
        self.regions.append({"id": number, "regions": []})
        self.relationships.append({"image_id": number, "relationships": []})

    def region(self, number, image=1, **changes):
        item = {"region_id": number, "image_id": image, "x": 4, "y": 6, "width": 20, "height": 10}
        self._of(self.regions, "id", image)["regions"].append(
            item | {"phrase": f"thing {number}"} | changes
        )

    def relates(self, number, subject, predicate, object_, image=1, /, **changes):
        ends = {"subject": self.end(*subject), "object": self.end(*object_)}
        item = {"relationship_id": number, "predicate": predicate, "synsets": []} | ends
        self._of(self.relationships, "image_id", image)["relationships"].append(item | changes)

    @staticmethod
    def end(number, name, **changes):
        box = {"x": number % 7, "y": 2, "w": 9, "h": 12}
        return {"object_id": number, "name": name, "synsets": []} | box | changes

    @staticmethod
    def _of(records, key, image):
        return next(record for record in records if record.get(key) == image)

    def good(self, *numbers):
        """Pictures with two regions and a relationship each."""
        for number in numbers or (1, 2):
            self.picture(number)
            self.region(number * 10 + 1, number)
            self.region(number * 10 + 2, number, x=9)
            self.relates(number * 10 + 3, (1, "man"), "on", (2, "horse"), number)
        return self

    def save(self):
        for name, items in {
            "image_data": self.images,
            "region_descriptions": self.regions,
            "relationships": self.relationships,
        }.items():
            (self.folder / f"{name}.json").write_text(json.dumps(items), encoding="utf-8")
        return self
