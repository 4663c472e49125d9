"""The largest set that this machine holds: predicted, generated, bulk-loaded, indexed, loaded and measured, resumably."""
