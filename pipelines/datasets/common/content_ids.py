"""Ids for items whose owner gives them none: made of what they say, so that no order matters."""

from hashlib import blake2b


def content_id(name: str, *parts: bytes) -> str:
    """Return an id that begins with a name and ends with a digest of the parts."""
    digest = blake2b(digest_size=8)
    for part in parts:
        digest.update(b"%d:" % len(part) + part)
    return f"{name}.{digest.hexdigest()}"
