"""The flags of a user's own annotation files, which `build` and `recap` take alike."""

import re
from argparse import Namespace
from collections.abc import Sequence
from typing import Any, get_args

from pipelines.cli.command import Group
from schemas.errors import UsageError
from schemas.sample import Frame
from schemas.source import Crowds

OWN_FILE_FLAGS = (
    *("coco_annotations", "coco_images", "coco_split", "coco_last_part"),
    *("coco_crowds", "coco_frame"),
)
_OF_SPLIT = re.compile(r"(\w+(?:\.\w+)*)=(.+)", re.DOTALL)


def add_own_file_flags(group: Group) -> None:
    """Declare the flags."""
    group.add_argument(
        "--coco-annotations",
        action="append",
        default=[],
        metavar="[SPLIT=]FILE",
        help="your own file in COCO's format, or the folder of an export (Roboflow, CVAT, Label "
        "Studio, Ultralytics); repeated as SPLIT=FILE, several splits",
    )
    group.add_argument(
        "--coco-images",
        action="append",
        default=[],
        metavar="[SPLIT=]DIR",
        help="the folder of that file's images; known of an export that lies as it was written",
    )
    group.add_argument(
        "--coco-split", metavar="NAME", help="the name of its split (default: train)"
    )
    group.add_argument(
        "--coco-crowds",
        choices=get_args(Crowds),
        help="leave out its regions marked iscrowd, or take each as one object, as brushes of "
        "labelling tools mark them (default: reject)",
    )
    group.add_argument(
        "--coco-frame",
        choices=get_args(Frame),
        help="its boxes are drawn on the pixels as stored, or upright as EXIF turns them (default: "
        "as its sizes and boxes show, else stored)",
    )
    group.add_argument(
        "--coco-last-part",
        action="store_true",
        default=None,
        help="find its images by the last part of their names, wherever these lead",
    )


def own_file_fields(args: Namespace) -> dict[str, Any]:
    """Return the fields of a source from the flags of a user's own files.

    Raises:
        UsageError: flags do not fit together.
    """
    fields: dict[str, Any] = {}
    if args.coco_images and not args.coco_annotations:
        raise UsageError("--coco-images goes with --coco-annotations FILE")
    for key in ("split", "last_part", "crowds", "frame"):
        if (value := getattr(args, f"coco_{key}")) is not None:
            fields[key] = value
    if args.coco_annotations:
        fields["annotations"] = _by_split("--coco-annotations", args.coco_annotations)
        fields["images"] = _by_split("--coco-images", args.coco_images)
    return fields


def _by_split(flag: str, given: Sequence[str]) -> str | dict[str, str] | None:
    """Return the path of a flag, or its paths by split; None where it is not given."""
    from pipelines.cli.arguments import folder
    from pipelines.storage import files  # imports Beam, which takes a second

    if len(given) == 1 and (files.exists(given[0]) or not _OF_SPLIT.fullmatch(given[0])):
        return folder(given[0])
    paths: dict[str, str] = {}
    for text in given:
        match = _OF_SPLIT.fullmatch(text)
        if match is None:
            raise UsageError(f"{flag} {text}: say of which split, as in {flag} train={text}")
        if match[1] in paths:
            raise UsageError(f"{flag} {text}: the split {match[1]} is given twice")
        paths[match[1]] = folder(match[2])
    return paths or None
