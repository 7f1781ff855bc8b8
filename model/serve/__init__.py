"""Talks with a model: what users say becomes prompts, and answers come word by word."""
