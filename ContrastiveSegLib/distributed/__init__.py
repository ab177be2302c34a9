"""Several processes that do one job together: the only room that knows of torch.distributed."""

from ContrastiveSegLib.threads import wait_asleep

wait_asleep()  # before anything here loads PyTorch
