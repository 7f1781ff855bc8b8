"""A page on which one draws regions on a picture and asks a model about them; the extra `demo`."""
