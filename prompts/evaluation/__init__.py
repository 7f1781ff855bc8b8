"""Evaluation questions: one per conversation, in a fixed wording, with the right answers."""
