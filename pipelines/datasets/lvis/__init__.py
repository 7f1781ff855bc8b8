"""The data set LVIS."""
