"""The applications as libraries: text search first."""
