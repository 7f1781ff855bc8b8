"""The client of the OpenAI protocol."""
