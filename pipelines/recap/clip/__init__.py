"""CLIP similarity of crops and captions: scores, filter, calibration."""
