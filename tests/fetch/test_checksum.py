"""SHA-256 of files, against the digest of the whole content at once."""

import hashlib

import pytest

from milvuslab.fetch import sha256_of


@pytest.mark.parametrize("size_bytes", [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3_000_000])
def test_blocks_give_the_same_digest(tmp_path, size_bytes):
    content = bytes(index % 251 for index in range(1000)) * (size_bytes // 1000 + 1)
    path = tmp_path / "file"
    path.write_bytes(content[:size_bytes])
    assert sha256_of(path) == hashlib.sha256(content[:size_bytes]).hexdigest()
