"""The flow of a build, its files, and the command line (`python -m pipelines --help`)."""

VERSION = "0.1.0"
