"""The command line: one module per noun. Parse, call, render; nothing is decided here."""
