"""What every request passes before it reaches the API or a page: names, limits, keys, and the one form of an error."""
