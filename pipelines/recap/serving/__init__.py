"""Serving: vLLM started, watched and stopped for a run."""
