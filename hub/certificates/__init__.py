"""The hub's own certificate authority: it vouches for the hub towards boxes, and for boxes towards the hub."""
