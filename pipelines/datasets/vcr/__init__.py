"""The data set VCR (Visual Commonsense Reasoning)."""
