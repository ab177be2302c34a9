"""The self test of the module in 3D Slicer; it is part of the source code, and not shipped."""
