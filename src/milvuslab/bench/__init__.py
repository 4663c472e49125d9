"""Measuring: case, run, raw record, metrics and report, each a file that the next is made from."""
