"""Judging: a model behind a server rates what another model said of regions, for evaluation."""
