"""What evaluations ask: one question a conversation, in a fixed wording, with what it is scored by."""
