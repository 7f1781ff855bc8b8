"""New source: the files that a data set of one's own begins with, copied from working examples."""
