"""Storage: files wherever they lie, and optional dependencies."""
