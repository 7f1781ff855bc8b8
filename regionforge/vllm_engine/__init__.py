"""The engine `vllm` of `serve`: vLLM generates from the embeddings of prompts.

This process keeps the vision tower, the connector and the table of words. A vLLM in an environment
of its own has the language model, and is given each prompt as embeddings, pictures and regions in
their places.
"""
