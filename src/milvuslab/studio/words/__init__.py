"""Everything the pages say, one table per language."""
