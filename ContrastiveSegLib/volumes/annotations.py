"""Which voxels a person vouched for: whole cases, whole slices, or scribbles."""

from __future__ import annotations

# The class index of voxels that nobody vouched for.
UNKNOWN = -1

# Painted voxels of a segment with this name are background; untouched ones are unknown, or are not.
BACKGROUND = "background"
