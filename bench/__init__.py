"""How fast trajectories are read, scored and rendered, beside named peers: `python -m bench`."""
