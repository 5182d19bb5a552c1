"""Tasks: work orders for officers, each with the reason that made it."""
