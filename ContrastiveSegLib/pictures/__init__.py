"""Pictures to look at: outlines on slices, and curves."""
