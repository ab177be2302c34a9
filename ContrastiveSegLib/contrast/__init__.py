"""What contrastive methods share: augmentation, positives, losses, clusters and superpixels."""

from ContrastiveSegLib.threads import wait_asleep

wait_asleep()  # before anything here loads PyTorch
