"""The entry point of `python -m pipelines`."""

from pipelines.cli.parser import main

if __name__ == "__main__":
    main()
