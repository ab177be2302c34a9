"""From files to prepared cases: resampled, scaled, stored as memory-mapped arrays."""
