"""The tiny vision tower: configuration and weights."""
