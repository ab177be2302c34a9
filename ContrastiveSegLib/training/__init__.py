"""Batches, the training loop, checkpoints and validation, for pre-training and fine-tuning."""

from ContrastiveSegLib.threads import wait_asleep

wait_asleep()  # before anything here loads PyTorch
