"""One file per thing a user can ask for; each is a verb of the command line."""

from ContrastiveSegLib.threads import wait_asleep

wait_asleep()  # before anything here loads PyTorch
