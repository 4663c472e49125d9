"""`python -m milvuslab.cli.loader`: the sample documents, then the sample pictures, as `milvuslab up` loads them behind the page.

Two commands, one after the other: texts first, because the page that opens asks for them. Pictures are left out where the
extra `image` is not installed; that they fail is told, and takes nothing from the documents.
"""

import sys

from milvuslab.cli.main import main
from milvuslab.ops.extras import has_extra

__all__ = ["load_all"]


def load_all(options: list[str]) -> int:
    """Loads both; returns the exit code of the first that failed.

    Args:
        options: of both commands: `--server NAME`.
    """
    texts = main(["text", "load-samples", *options])
    # Stopped by a person or by `milvuslab down`: what comes after is not begun.
    if texts == 130 or not has_extra("image"):
        return texts
    return texts or main(["image", "load-samples", "clipart", *options])


if __name__ == "__main__":
    sys.exit(load_all(sys.argv[1:]))
