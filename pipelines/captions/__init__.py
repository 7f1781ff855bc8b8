"""Captions: the reading of `recap`'s output by a build."""
