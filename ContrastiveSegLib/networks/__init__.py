"""Networks built of parts whose names survive from pre-training to prediction."""

from ContrastiveSegLib.threads import wait_asleep

wait_asleep()  # before anything here loads PyTorch
