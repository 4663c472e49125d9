"""Comparisons of index types as the studio runs and shows them: what to compare, the process that does it, its results."""
