"""The entry point of `python -m pipelines`: the commands of `regionforge` for data."""

import gc

# Importing makes many objects and no rubbish: without searches for it, a start takes a sixth less.
gc.set_threshold(500_000, 50, 100)

from pipelines.cli.parser import main  # noqa: E402

if __name__ == "__main__":
    main()
