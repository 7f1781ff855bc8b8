"""The client of servers with OpenAI's chat API: calls, retries, limits, and a check of servers."""
