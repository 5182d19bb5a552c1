"""Configuration of the boxes: what is desired, signed for them to fetch, and what they say they run."""
