"""Prompts: wordings, styles, and the text of conversations. No Beam."""
