"""Frozen values, metric conventions, errors, settings and progress. No I/O; standard library and numpy only."""
