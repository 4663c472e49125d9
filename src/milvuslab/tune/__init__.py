"""Choosing: index and search parameters for a recall target, by measurement and with a guarantee."""
