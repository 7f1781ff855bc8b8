"""Info: the figures of a build, and any of its records by id, in text or drawn."""
