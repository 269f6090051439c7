"""Judge finished conversations: mask personal values, check, decide."""
