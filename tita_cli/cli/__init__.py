"""The command line: one file a command. Only this package prints, and only here do errors become exit codes."""
