"""The connector of GPT4RoI: from hidden states and boxes to embeddings for the language model."""

from model.gpt4roi.connector import GPT4RoIConnector as GPT4RoIConnector
