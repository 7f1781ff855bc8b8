"""Parsing that several data sets share."""
