"""`python -m milvuslab.cli`: the command without an installed script."""

import sys

from milvuslab.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
