"""A Slicer for tests: real MRML, real off-screen views and PySide6, under the names that Slicer 5.12 has."""
