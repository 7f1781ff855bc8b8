"""Captions: the output of `recap`, as a build takes it in."""
