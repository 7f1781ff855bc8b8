"""The dataset card and the console's summary: what a finished build says of itself."""
