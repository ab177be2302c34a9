"""The vocabulary that contrastive methods are written in."""
