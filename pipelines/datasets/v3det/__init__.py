"""V3Det."""
