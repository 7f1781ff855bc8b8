"""Parsing code that several data sets share."""
