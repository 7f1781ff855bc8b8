"""The images of a split of Visual Genome: the usable, the chosen and the refused ones."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from pipelines.datasets.common.entries import image_info, limited, rejections
from pipelines.datasets.common.raw_items import ItemId, Raw
from pipelines.datasets.common.text_files import read_text
from pipelines.datasets.visual_genome import records as vg_json
from pipelines.datasets.visual_genome.pictures import file_name, list_pictures
from pipelines.datasets.visual_genome.test_split import TEST_IDS, test_ids
from schemas.rejection import Kind, Rejected
from schemas.sample import ImageInfo
from schemas.source import Count, Entry, SplitInput, Store, Volume


@dataclass(frozen=True, slots=True, kw_only=True)
class Images:
    """The usable images of a split, the chosen images, and the ids of unusable images as text."""

    usable: Mapping[ItemId, ImageInfo]
    chosen: Collection[ItemId]
    refused: Collection[str]
    members: Collection[ItemId] | None  # the split's images, with or without a picture; None: all

    def leaves_out(self, image_id: ItemId) -> bool:
        """Return whether the limit leaves out a usable image."""
        return image_id in self.usable and image_id not in self.chosen

    def volume(self, items: int) -> Volume:
        """Return the volume of the split, with approximately one new region for each item."""
        taken = len(self.chosen)
        return Volume(
            images=taken,
            regions=items * taken // max(1, len(self.usable)),
            categories=0,
            picture_bytes=sum(self.usable[image_id].size_bytes for image_id in self.chosen),
        )


def image_items(split: SplitInput, store: Store) -> list[Raw]:
    """Return the undecoded items about all images.

    Raises:
        InputFileError: the file as a whole cannot be used.
    """
    path = split.files["image_data"]
    return vg_json.decode_list(read_text(store, path), path)


def read_images(split: SplitInput, store: Store) -> tuple[Images, list[Entry]]:
    """Return the images of a split, and the entries about those that are not read.

    Raises:
        InputFileError: a file as a whole cannot be used.
    """
    items = image_items(split, store)
    declared, refused = vg_json.index_items(items, vg_json.IMAGE, "image_data")
    number, members = len(items), members_of(split, store, declared)
    if members is not None:
        names = {str(image_id) for image_id in members}
        declared = {image_id: image for image_id, image in declared.items() if image_id in members}
        refused = [refusal for refusal in refused if refusal[0] in names]
        number = len(declared) + len(refused)
    listing = list_pictures(split, store)
    usable: dict[ItemId, ImageInfo] = {}
    for image_id, image in declared.items():
        name, size = file_name(image.url, listing), (image.width, image.height)
        try:
            usable[image_id] = image_info(split, str(image_id), name, size, listing, split.licence)
        except Rejected as cause:
            refused.append((str(image_id), cause))
    chosen = limited(split, usable)
    entries: list[Entry] = []
    entries.append(Count(Kind.IMAGE, "read", number))
    entries.append(Count(Kind.IMAGE, "sampled_out", len(usable) - len(chosen)))
    entries += rejections(split, Kind.IMAGE, refused)
    ids = dict(refused).keys()
    return Images(usable=usable, chosen=chosen, refused=ids, members=members), entries


def members_of(
    split: SplitInput, store: Store, image_ids: Collection[ItemId]
) -> Collection[ItemId] | None:
    """Return the images of the test split; None for the training split, which has all images."""
    if split.split != "test":
        return None
    path = split.files.get(TEST_IDS, "")
    return test_ids(image_ids, read_text(store, path) if path else None, path)
