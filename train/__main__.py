"""The entry point of `python -m train`: the commands of `regionforge` for training."""

from train.cli import main

if __name__ == "__main__":
    main()
