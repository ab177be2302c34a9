"""Promptable models of the SAM family, one file per family; weights are read without running anything."""

from ContrastiveSegLib.threads import wait_asleep

wait_asleep()  # before anything here loads PyTorch
