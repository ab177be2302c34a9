"""Read and write volumes, labels and DICOM series, also damaged ones, without harm."""
