"""From class probabilities to a segmentation on the grid of the image."""
