"""Live updates to browsers and integrators, resumable: what happened since you last looked."""
