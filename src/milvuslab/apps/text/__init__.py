"""Text search: documents in, passages found by meaning.

`shelf` opens collections, `ingest` fills them, `search` asks them, `document` reads, adds and removes single documents.
"""
