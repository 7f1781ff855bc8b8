"""The flow of a build, its files, and the command line of the data tower."""

VERSION = "0.1.0"
