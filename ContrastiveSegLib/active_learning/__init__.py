"""Which scans and slices to annotate next: representative ones, and those where the model is unsure."""

from ContrastiveSegLib.threads import wait_asleep

wait_asleep()  # before anything here loads PyTorch
