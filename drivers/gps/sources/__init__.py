"""Where a receiver's bytes come from besides the lines that any device may have: a recording."""
