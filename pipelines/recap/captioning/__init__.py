"""Captioning of images and regions in two stages, with a journal of the answers."""
