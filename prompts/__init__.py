"""Prompts: wordings, styles, and the text of conversations, without Beam."""
