"""The edge agent: one process per box. Keeps what devices said, on disk, until the hub says that it has it."""
