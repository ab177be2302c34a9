# Slicer would make a package here.
