"""LLaVA's instruction data, and its image-caption pre-training set."""
