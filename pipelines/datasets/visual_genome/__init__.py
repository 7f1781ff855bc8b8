"""The data set Visual Genome."""
