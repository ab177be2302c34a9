"""Which files are cases: images, labels, patients, and which voxels are annotated."""
