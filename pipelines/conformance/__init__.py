"""Conformance: the rules that every data set keeps, shown on a few files of its owner."""
