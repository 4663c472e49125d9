"""What travels: protobuf messages, channels, calls, and the translation between our values and theirs."""
