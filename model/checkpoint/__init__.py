"""Weights in and out: from and to the folders of others, and the trained part alone.

Every function either returns a whole model, or raises an error that names the file and the key;
every folder is written whole or not at all.
"""

from model.checkpoint.export import export_parts
from model.checkpoint.load import load_towers
from model.checkpoint.released import load_released
from model.checkpoint.trained import load_trained, save_trained

__all__ = ["export_parts", "load_released", "load_towers", "load_trained", "save_trained"]
