"""Two towers of 4 MB that know the sample world's preset `proof` only, for the demonstration.

A tiny RegionGPT (`model.presets.proof_regiongpt`) trains on them, as a real one does on published
towers: they see coloured shapes, and speak of nothing else. `README.md` here says how to make them
again.
"""

from pathlib import Path

FOLDER = Path(__file__).parent
VISION = FOLDER / "vision"  # a CLIPVisionModel of transformers
LANGUAGE = FOLDER / "language"  # a LlamaForCausalLM, and its tokenizer
