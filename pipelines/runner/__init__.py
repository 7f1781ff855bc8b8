"""The run of a build: Beam's runners, local worker processes, and progress on the console."""
