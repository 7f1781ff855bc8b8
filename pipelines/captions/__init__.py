"""Captions: what `recap` made, as a build takes it in."""
