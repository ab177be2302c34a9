"""What a job works with: the device, the reporter, the record of the environment."""

from ContrastiveSegLib.threads import wait_asleep

wait_asleep()  # before anything here loads PyTorch
