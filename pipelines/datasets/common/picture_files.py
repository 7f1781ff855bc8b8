"""The pictures of a folder, found by the names that tools write for them.

    images\\\\1.jpg, my%20photo.jpg, 1.JPG          slashes, URL-encoding, case of the ending
    Jalapeño.jpg                                  accents as letters or as marks of their own
    images/1.jpg, /data/images/1.jpg              the folder's own name, before the path below it

A name is read in these ways only where no file has it as it is, and where one file alone fits. What
is returned is always the path of a file that is there. A name that leads elsewhere is refused, with
the near name that is there; on request, pictures go by the last part of their names.
"""

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from unicodedata import normalize
from urllib.parse import unquote

from pipelines.datasets.common.paths import check_file_name
from schemas.counted import counted
from schemas.rejection import Reason, Rejected
from schemas.source import SplitInput

_SLASHES = re.compile(r"[\\/]+")
_QUERY = re.compile(r"\?.*", re.DOTALL)  # of a URL, after its path


class PictureFiles:
    """The files below a folder of pictures, by the names that an annotation file has for them."""

    def __init__(
        self, split: SplitInput, sizes: Mapping[str, int], names: Iterable[str] = ()
    ) -> None:
        """Take the listing of a folder.

        Args:
            split: the split of the pictures, with their folder.
            sizes: the sizes in bytes of the files, by path below the folder.
            names: all names that the annotation file has, where pictures go by the last part.
        """
        self.sizes = sizes
        self.matched: set[str] = set()  # the names whose files are spelled otherwise
        self._folder = split.pictures
        self._own_file = split.own_file
        self._by_last_part = split.last_part
        self._namesakes: dict[str, set[str]] = defaultdict(set)  # names by their last part
        for name in names if self._by_last_part else ():
            self._namesakes[_key(_last_part(name))].add(name)

    def path_of(self, name: str) -> str:
        """Return the path of a picture below the folder, by the name that the owner has for it.

        Where no file fits, the name itself is returned.

        Raises:
            Rejected: the name leads elsewhere, or no file has it and another one is near.
        """
        usual, unsafe = "", ""
        try:
            usual = check_file_name(name)
        except Rejected as cause:
            unsafe = cause.detail
        if usual in self.sizes:
            return usual
        if path := self._match(name) or (self._by_last_part and self._match_last_part(name)):
            self.matched.add(name)
            return path
        near = self._near(name)
        if unsafe:
            raise Rejected(Reason.IMAGE_UNSAFE_PATH, f"{unsafe}{near}")
        if near:
            raise Rejected(Reason.IMAGE_MISSING, f"no file {usual!r} in the folder{near}")
        return usual

    def _match(self, name: str) -> str | None:
        """Return the path of the only file that a reading of a name fits; None if there is none."""
        for reading in _readings(name, self._folder):
            try:
                files = self._files.get(_key(check_file_name(reading)), ())
            except Rejected:
                continue
            if len(files) == 1:
                return files[0]
        return None

    def _match_last_part(self, name: str) -> str | None:
        """Return the path that shares more parts at the end with a name than any other file.

        A last part that several names share is not enough.
        """
        parts = _parts(name)
        shared = [(_shared_parts(parts, _parts(path)), path) for path in self._alike(name)]
        most = max((number for number, _ in shared), default=0)
        files = [path for number, path in shared if number == most]
        alone = len(self._namesakes[_key(_last_part(name))]) <= 1
        return files[0] if len(files) == 1 and (alone or most > 1) else None

    def _near(self, name: str) -> str:
        """Return the remark about a file that is near a name; empty where there is none."""
        alike = self._alike(name)
        if not alike:
            stem = _last_part(name).rpartition(".")[0]
            endings = self._stems.get(normalize("NFC", stem), ()) if stem else ()
            return f"; {min(endings)!r} is there" if endings else ""
        if self._by_last_part:
            return f"; with its last part: {counted(len(alike), 'file')}, e.g. {min(alike)!r}"
        advice = ": --coco-last-part goes by the last part of names" if self._own_file else ""
        return f"; {min(alike)!r} is there{advice}"

    def _alike(self, name: str) -> Sequence[str]:
        last = _last_part(name)
        return self._last_parts.get(_key(last)) or self._last_parts.get(_key(unquote(last)), ())

    @cached_property
    def _files(self) -> Mapping[str, Sequence[str]]:
        return _grouped((_key(path), path) for path in self.sizes)

    @cached_property
    def _last_parts(self) -> Mapping[str, Sequence[str]]:
        return _grouped((_key(path.rpartition("/")[2]), path) for path in self.sizes)

    @cached_property
    def _stems(self) -> Mapping[str, Sequence[str]]:
        names = ((path.rpartition("/")[2].rpartition(".")[0], path) for path in self.sizes)
        return _grouped((normalize("NFC", stem), path) for stem, path in names)


def _grouped(items: Iterable[tuple[str, str]]) -> Mapping[str, Sequence[str]]:
    groups: dict[str, list[str]] = defaultdict(list)
    for key, path in items:
        groups[key].append(path)
    return dict(groups)


def _readings(name: str, folder: str) -> Iterator[str]:
    """Yield what a name may mean below a folder, the likeliest first; unchecked."""
    slashed = name.replace("\\", "/")
    for spelling in dict.fromkeys((name, slashed, unquote(name), unquote(slashed))):
        yield spelling
        yield from _below(spelling, folder)


def _below(name: str, folder: str) -> Iterator[str]:
    """Yield the rest of a name after the folder's path, or after the last folders of that path."""
    full = os.path.abspath(folder)
    if name.startswith(f"{full}/"):
        yield name.removeprefix(f"{full}/")
    parts, above = name.removeprefix("./").split("/"), full.split("/")
    for number in range(len(parts) - 1, 0, -1):
        if parts[:number] == above[-number:]:
            yield "/".join(parts[number:])


def _key(path: str) -> str:
    """Return the form in which spellings of a path agree: composed, with the ending in lower case.

    `Jalapen\\u0303o.JPG` and `Jalape\\u00f1o.jpg` are both the latter.
    """
    stem, dot, ending = normalize("NFC", path).rpartition(".")
    return f"{stem}{dot}{ending if '/' in ending else ending.lower()}"


def _parts(name: str) -> list[str]:
    path = _QUERY.sub("", name) if "://" in name else name
    return [_key(part) for part in _SLASHES.split(path)]


def _last_part(name: str) -> str:
    return _SLASHES.split(_QUERY.sub("", name) if "://" in name else name)[-1]


def _shared_parts(parts: Sequence[str], others: Sequence[str]) -> int:
    """Return the number of parts at the end that two paths share."""
    pairs = zip(reversed(parts), reversed(others), strict=False)
    return next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(parts), len(others)))
