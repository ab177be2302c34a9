"""Volumes in patient space: geometry, working grid, label tables."""
