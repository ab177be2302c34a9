"""One file per fine-tuning strategy; the file name is the strategy's name everywhere."""

from ContrastiveSegLib.threads import wait_asleep

wait_asleep()  # before anything here loads PyTorch
