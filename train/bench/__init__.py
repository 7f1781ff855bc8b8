"""The speed of training, beside that of plain library code: `regionforge train-bench`."""
