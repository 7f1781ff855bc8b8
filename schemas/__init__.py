"""Records: ids, geometry, text, reason codes, ledger, manifest and the Arrow schema.

This package is the ground both towers stand on. It imports no other package of ours, and
neither Beam nor torch, so that a reader of shards needs nothing heavy.
"""
