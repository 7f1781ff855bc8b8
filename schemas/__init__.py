"""Records: ids, geometry, text, reason codes, ledger, manifest and the Arrow schema.

The building of shards and the training of models both depend on this package. It imports no other
package of the project, and neither Beam nor torch, so that a reader of shards needs nothing heavy.
"""
