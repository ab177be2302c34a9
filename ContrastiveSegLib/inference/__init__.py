"""Whole volumes through a network, and the memory that takes."""

from ContrastiveSegLib.threads import wait_asleep

wait_asleep()  # before anything here loads PyTorch
