"""Packages and files from outside: ordinary registry clients, pinned checksums, safe unpacking, one cache."""

from milvuslab.fetch.archive import extract_members, read_member, safe_path
from milvuslab.fetch.checksum import sha256_of
from milvuslab.fetch.package import Package, fetch_package

__all__ = ["Package", "extract_members", "fetch_package", "read_member", "safe_path", "sha256_of"]
