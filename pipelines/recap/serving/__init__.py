"""The server of a run: vLLM is started, watched and stopped with the run."""
