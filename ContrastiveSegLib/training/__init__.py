"""How anything here learns."""

from ContrastiveSegLib.threads import wait_asleep

wait_asleep()  # before anything here loads PyTorch
