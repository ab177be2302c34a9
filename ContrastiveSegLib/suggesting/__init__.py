"""What to annotate next: what stands for the collection, and where the model is unsure."""

from ContrastiveSegLib.threads import wait_asleep

wait_asleep()  # before anything here loads PyTorch
