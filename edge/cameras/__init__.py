"""Finding the cameras around a box, and what to write of them into its configuration."""
