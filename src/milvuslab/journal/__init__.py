"""Job records and row digests: what proves where work stands and that nothing was lost."""
