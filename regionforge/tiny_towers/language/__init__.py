"""The tiny language model: configuration, weights and tokenizer."""
