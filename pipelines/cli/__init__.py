"""The command line: one module per command, which declares its flags (`add_parser`) and runs it."""
