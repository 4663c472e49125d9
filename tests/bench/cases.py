"""Small cases for tests: written as a person would, one file each."""

import numpy as np

BASE = """
title = "a small case"

[dataset]
kind = "clustered"
row_count = 1200
dim = 16
query_count = 120

[collection]
metric = "L2"

[index]
type = "HNSW"
params = { M = 8, efConstruction = 60 }

[search]
k = 5
params = { ef = 20 }

[load]
mode = "closed"
in_flight = 1
duration_s = 0.3
warm_up_count = 5

[run]
repeats = 1
"""
FILE_DATASET = """[dataset]
kind = "file"
path = "{path}"
query_count = 20
"""


def write_case(folder, *, name="small", replaced=()):
    """A case file: the base with texts replaced, each of which must be there."""
    text = BASE
    for old, new in replaced:
        assert old in text, old
        text = text.replace(old, new)
    path = folder / f"{name}.toml"
    path.write_text(text, encoding="utf-8")
    return path


def with_file(path, *, extra=""):
    """A replacement that takes the vectors from a file."""
    begin, end = BASE.index("[dataset]"), BASE.index("[collection]")
    return (BASE[begin:end], FILE_DATASET.format(path=path) + extra + "\n")


def write_fvecs(path, vectors):
    """Vectors in the form of the TEXMEX sets."""
    write_rows(path, vectors.astype("<f4"))


def write_rows(path, rows):
    widths = np.full((len(rows), 1), rows.shape[1], dtype="<i4")
    path.write_bytes(
        np.hstack([widths.view("u1"), np.ascontiguousarray(rows).view("u1").reshape(len(rows), -1)]).tobytes()
    )
