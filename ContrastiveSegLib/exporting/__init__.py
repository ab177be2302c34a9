"""Write a run in forms that other programs read: one file per form."""

from ContrastiveSegLib.threads import wait_asleep

wait_asleep()  # before anything here loads PyTorch
