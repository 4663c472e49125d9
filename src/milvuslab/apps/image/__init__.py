"""Image search: pictures in, pictures found by what they show.

`shelf` opens collections, `load` and `ingest` fill them, `search` asks them, `image` reads, adds and removes single
pictures, `duplicates` and `near` find the same picture again, `geometry` proves that two pictures are the same.
"""
