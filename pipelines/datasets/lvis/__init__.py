"""LVIS."""
