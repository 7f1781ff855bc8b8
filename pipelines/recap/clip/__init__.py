"""CLIP similarity between crops and captions: scores, thresholds and their calibration."""
