"""The rules of data sets, by name; each yields a line for what breaks it, with the value."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import combinations

from pipelines.conformance.fixture import Fixture, Split
from pipelines.datasets.spec import SourceRequest
from pipelines.locate import locate_splits, missing_files
from pipelines.shards.options import shard_key
from pipelines.storage.files import FileStore
from schemas.item import kinds
from schemas.rejection import Kind, Rejection
from schemas.source import Count, Entry, Repaired, SourceImage

_ROOT = "/data"  # of paths that nothing is read from
_OUTCOMES = ("kept", "rejected", "sampled_out", "with_image")

Totals = Counter[tuple[Kind, str]]


def _splits_are_there(fixture: Fixture) -> Iterator[str]:
    there = tuple(split.name for split in fixture.splits)
    if there != fixture.spec.splits:
        yield f"the splits are {there}, expected {fixture.spec.splits} as declared"
    yield from (f"{split.name}: no image" for split in fixture.splits if not split.images)


def _terms_are_stated(fixture: Fixture) -> Iterator[str]:
    spec = fixture.spec
    if "://" not in spec.obtain:
        yield f"obtain is {spec.obtain!r}, expected an address"
    for split, entry in _images(fixture):
        if not entry.image.licence.startswith(spec.licence):
            yield (
                f"{split.name}: image {entry.image.image_id}: the licence is "
                f"{entry.image.licence!r}, expected one that begins with {spec.licence!r}"
            )


def _files_lie_below_the_root(fixture: Fixture) -> Iterator[str]:
    request = SourceRequest(name=fixture.spec.name, year=fixture.request.year)
    for located in locate_splits(_ROOT, request):
        missing = missing_files(located)
        expected = list(dict.fromkeys([*located.files.values(), located.pictures]))
        if missing != expected:
            yield f"{located.split}: {missing} are missing without files, expected {expected}"
        for path in missing:
            if not f"{path}/".startswith(f"{_ROOT}/"):
                yield f"{located.split}: {path} is not below the data root"
        if located.pictures != f"{_ROOT}/{located.folder}".rstrip("/"):
            yield f"{located.split}: folder {located.folder!r} does not lead to {located.pictures}"


def _ids_are_unique(fixture: Fixture) -> Iterator[str]:
    for split in fixture.splits:
        named = {"image": [entry.image.image_id for entry in split.images]}
        for entry in split.images:
            name = f"image {entry.image.image_id}"
            named[f"{name}: region"] = [region.region_id for region in entry.regions]
            named[f"{name}: item"] = [item.id for item in entry.items]
        for what, ids in named.items():
            for each, number in Counter(ids).items():
                if number > 1 or not each.strip():
                    yield f"{split.name}: {number} of {what} have the id {each!r}, expected one"


def _training_splits_share_no_image(fixture: Fixture) -> Iterator[str]:
    for one, other in combinations(fixture.splits, 2) if fixture.spec.tasks else ():
        ids = [{entry.image.image_id for entry in split.images} for split in (one, other)]
        for image_id in sorted(ids[0] & ids[1]):
            yield f"{one.name} and {other.name} share the image {image_id}"


def _boxes_lie_inside(fixture: Fixture) -> Iterator[str]:
    for split in fixture.splits:
        for screened in split.screened():
            width, height = screened.image.width or 0, screened.image.height or 0
            for region in screened.regions:
                x0, y0, x1, y1 = region.bbox
                if not (0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height):
                    yield (
                        f"{split.name}: region {region.region_id}: the box {region.bbox} is not "
                        f"inside {width} x {height} pixels"
                    )


def _categories_are_known(fixture: Fixture) -> Iterator[str]:
    for split in fixture.splits:
        if len(split.facts) != 1:
            yield f"{split.name}: {len(split.facts)} SplitFacts, expected one"
            continue
        label_set = split.facts[0].label_set
        expected = label_set and label_set.brief()
        if label_set is not None and not label_set.categories:
            yield f"{split.name}: the label set has no categories"
        for entry in split.images:
            if entry.label_set != expected:
                yield f"{split.name}: image {entry.image.image_id}: not the label set of SplitFacts"
            shown = {region.category for region in entry.regions}
            for name in sorted(map(str, shown - set(label_set.categories if label_set else shown))):
                yield f"{split.name}: the category {name!r} is not in the label set"


def _pictures_are_there(fixture: Fixture) -> Iterator[str]:
    for split in fixture.splits:
        sizes = FileStore().sizes(split.split.pictures)
        for entry in split.images:
            image = entry.image
            if image.file_name is None:
                if image.size_bytes or entry.regions:
                    yield f"{split.name}: image {image.image_id}: regions without a picture"
            elif sizes.get(image.file_name) != image.size_bytes:
                yield (
                    f"{split.name}: {image.file_name}: size_bytes is {image.size_bytes}, the file "
                    f"has {sizes.get(image.file_name)}"
                )


def _counts_balance(fixture: Fixture) -> Iterator[str]:
    for split in fixture.splits:
        counts = _outcomes(split.entries)
        for kind in Kind:
            total = sum(counts[kind, outcome] for outcome in _OUTCOMES)
            if counts[kind, "read"] != total:
                yield (
                    f"{split.name}: {counts[kind, 'read']} of {kind} were counted as read, but "
                    f"{total} were kept, rejected or left out"
                )
        if any(number for (_, outcome), number in counts.items() if outcome == "sampled_out"):
            yield f"{split.name}: a parser samples nothing out"
        classified = any(facts.label_set for facts in split.facts)
        needed = (Kind.IMAGE, Kind.ANNOTATION, Kind.CATEGORY) if classified else (Kind.IMAGE,)
        yield from (
            f"{split.name}: no {kind} was read" for kind in needed if not counts[kind, "read"]
        )


def _outcomes(entries: Iterable[Entry]) -> Totals:
    counts: Totals = Counter()
    for entry in entries:
        match entry:
            case Count():
                counts[entry.kind, entry.outcome] += entry.number
            case Rejection():
                counts[entry.kind, "rejected"] += 1
            case SourceImage():
                counts[Kind.IMAGE, "kept"] += 1
                counts[Kind.ANNOTATION, "kept"] += len(entry.regions)
                for kind, number in kinds(entry.items).items():
                    counts[kind, "kept"] += number
    return counts


def _items_know_their_regions(fixture: Fixture) -> Iterator[str]:
    for split in fixture.splits:
        for screened in split.screened():
            known = {region.region_id for region in screened.regions}
            for item in screened.items:
                if strange := sorted(set(item.region_ids()) - known):
                    yield f"{split.name}: item {item.id} is about {strange}, not of its image"


def _parsing_repeats(fixture: Fixture) -> Iterator[str]:
    for split, again in zip(fixture.splits, fixture.read(), strict=True):
        if split.entries != again.entries:
            yield f"{split.name}: parsing again yields other entries"


def _divided_is_the_whole(fixture: Fixture) -> Iterator[str]:
    for split in fixture.splits:
        if _content(split.divided(3)) != _content(split.entries):
            yield f"{split.name}: divided for three workers, it yields other entries than whole"


def _content(entries: Iterable[Entry]) -> tuple[Counter[str], Totals]:
    """Return entries in any order, and the totals of their counts and repairs."""
    totals: Totals = Counter()
    others: Counter[str] = Counter()
    for entry in entries:
        if isinstance(entry, Count):
            totals[entry.kind, entry.outcome] += entry.number
        elif isinstance(entry, Repaired):
            totals[entry.kind, entry.repair] += entry.number
        else:
            others[repr(entry)] += 1
    return others, +totals


def _images_have_a_shard(fixture: Fixture) -> Iterator[str]:
    for split in fixture.splits:
        shards = {facts.shards for facts in split.facts}
        for entry in split.images:
            (_, _, index, of), _ = shard_key(entry.image)
            if {of} != shards or not 0 <= index < of:
                yield f"{split.name}: image {entry.image.image_id}: {of} shards, expected {shards}"


def _images(fixture: Fixture) -> Iterator[tuple[Split, SourceImage]]:
    for split in fixture.splits:
        for entry in split.images:
            yield split, entry


RULES: Mapping[str, Callable[[Fixture], Iterator[str]]] = {
    "every declared split is there": _splits_are_there,
    "terms are stated": _terms_are_stated,
    "all files lie below the data root": _files_lie_below_the_root,
    "ids are unique": _ids_are_unique,
    "splits to train on share no image": _training_splits_share_no_image,
    "boxes lie inside after screening": _boxes_lie_inside,
    "categories are those of the label set": _categories_are_known,
    "pictures are there with the stated size": _pictures_are_there,
    "counts balance": _counts_balance,
    "items are about regions of their image": _items_know_their_regions,
    "parsing again yields the same": _parsing_repeats,
    "several workers read the same together": _divided_is_the_whole,
    "every image has one of the shards": _images_have_a_shard,
}
