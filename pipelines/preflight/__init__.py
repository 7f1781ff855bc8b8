"""The checks before a build reads its inputs: each takes seconds, whatever the inputs' size."""
