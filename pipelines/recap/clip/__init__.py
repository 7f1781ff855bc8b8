"""CLIP similarity of crops and captions: scores, thresholds, calibration."""
