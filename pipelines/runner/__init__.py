"""Runner: Beam's runners, local worker processes, and progress on the console."""
