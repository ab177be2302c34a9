"""Carry one annotated slice through a volume, and refine predictions, slice by slice."""

from ContrastiveSegLib.threads import wait_asleep

wait_asleep()  # before anything here loads PyTorch
