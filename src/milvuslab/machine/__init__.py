"""What every room needs of the machine: files that are whole after a crash, locks between processes, waiting.

Below the sources, because `runtime`, `embed`, `journal` and `ops` need it alike and may not import each other.
"""

from milvuslab.machine.lock import hold_lock, open_lock
from milvuslab.machine.polling import poll_until
from milvuslab.machine.record import read_record, write_record, write_text

__all__ = ["hold_lock", "open_lock", "poll_until", "read_record", "write_record", "write_text"]
