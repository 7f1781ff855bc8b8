"""What decides the speed of training on a GPU, proved without one: `make bench-static`."""
