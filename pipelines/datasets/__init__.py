"""The data sets, a package each: plain generators over the owners' files, without Beam."""
