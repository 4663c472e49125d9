"""The OpenAPI document of the studio, from the application that serves it, with default settings."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from milvuslab.ops.workspace import open_workspace
from milvuslab.studio.serve import build_api
from milvuslab.studio.studio import open_studio

__all__ = ["render_page"]


def render_page(root_dir: Path) -> str:
    """The document, indented; nothing is started for it."""
    del root_dir
    with tempfile.TemporaryDirectory() as folder:
        studio = open_studio(open_workspace(environment={"HOME": folder}, folder=Path(folder)))
        try:
            schema = build_api(studio).openapi()
        finally:
            studio.stop()
    return json.dumps(schema, indent=1, ensure_ascii=False)
