"""One file per subcommand; each has `run(args)`, which prints and returns the exit status."""
