"""Flickr30K Entities."""
