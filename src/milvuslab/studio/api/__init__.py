"""The HTTP API: thin routes that call the applications and the values they answer with."""
