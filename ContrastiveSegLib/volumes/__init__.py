"""Images and labels in patient space."""
