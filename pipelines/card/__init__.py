"""The dataset card, and the summary of a build on the console."""
