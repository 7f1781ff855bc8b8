"""The flags of the larger commands."""
