"""Hand on what a run knows, in forms that other programs read: one file per form."""
