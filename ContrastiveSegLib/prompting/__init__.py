"""Promptable models (SAM family): refine what was predicted, carry one annotated slice through a volume."""

from ContrastiveSegLib.threads import wait_asleep

wait_asleep()  # before anything here loads PyTorch
