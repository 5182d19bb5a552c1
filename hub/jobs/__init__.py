"""Jobs: work that must happen after a commit, once, also when the process dies."""
