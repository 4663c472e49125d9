"""The program behind `milvuslab up` that loads the samples: `python -m milvuslab.cli.loader`."""
