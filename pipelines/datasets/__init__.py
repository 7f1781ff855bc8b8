"""One file per data set: plain generators over the owner's files, without Beam."""
