"""The entry point of `python -m pipelines`: the commands of `regionforge` for data."""

from pipelines.cli.parser import main

if __name__ == "__main__":
    main()
