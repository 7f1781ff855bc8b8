"""Ids for items that have none in the owner's files: a digest of the item's content.

content_id("17", b"[1,2]")  ->  "17.36d10fd7356b55ce"        (a name and 16 hexadecimal digits)
"""

from hashlib import blake2b


def content_id(name: str, *parts: bytes) -> str:
    """Return an id made of a name and a digest of the parts."""
    digest = blake2b(digest_size=8)
    for part in parts:
        digest.update(b"%d:" % len(part) + part)
    return f"{name}.{digest.hexdigest()}"
