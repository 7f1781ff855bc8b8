"""A simulation of the filters of captions, with mistakes and a judge's errors at known rates."""
