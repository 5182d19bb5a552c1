"""What is wrong with a box, in plain words, and what to do: `diwang edge doctor` and `diwang edge support`."""
