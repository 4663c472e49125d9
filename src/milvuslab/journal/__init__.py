"""Durable small files, job records and row digests: what proves where work stands and that nothing was lost."""
