"""Stage 0: tiny towers that know a build's pictures and words, made where none can be had.

The papers freeze pretrained towers; a proof that training learns needs towers that know something.
"""
