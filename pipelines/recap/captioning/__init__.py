"""Captioning: the two stages, their captioners, and the journal of answers."""
