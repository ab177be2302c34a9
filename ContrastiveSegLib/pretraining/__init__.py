"""One file per pre-training method; the file name is the method's name everywhere."""

from ContrastiveSegLib.threads import wait_asleep

wait_asleep()  # before anything here loads PyTorch
