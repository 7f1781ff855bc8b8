"""Numbers with their nouns, in the singular where there is one: "1 shard", "1,234 shards"."""


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """Return a number and its noun: "1 shard", "0 shards", "1,234 shards".

    Args:
        number: the number; thousands are parted by commas.
        noun: the noun in the singular.
        plural: the noun in the plural; None: with an "s" at its end.
    """
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"
