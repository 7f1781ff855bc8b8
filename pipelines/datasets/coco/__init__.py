"""COCO detection, and any file in COCO's format."""
