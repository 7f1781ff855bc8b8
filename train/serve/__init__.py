"""The commands that put questions to a trained model: `chat`, `answer` and `serve`."""
