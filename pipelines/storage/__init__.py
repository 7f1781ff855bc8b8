"""Storage: access to local and remote files, and the optional dependencies for it."""
