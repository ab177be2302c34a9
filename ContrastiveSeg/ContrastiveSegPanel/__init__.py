"""The panel in 3D Slicer: one short file per step of the work, around one timer and one form."""
