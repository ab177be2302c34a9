"""Learn from many unlabeled volumes, then segment from a few labeled ones."""

__version__ = "0.1.0"
