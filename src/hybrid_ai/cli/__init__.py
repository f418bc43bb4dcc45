"""The command line: one file per subcommand, which parses options, calls the pipeline and prints."""
