"""The paths inside a folder of weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ContrastiveSegLib.runs import run_names


@dataclass(frozen=True)
class ModelFolder:
    """What one pre-training or one round of fine-tuning leaves behind: `ModelFolder(run.pretrain)`."""

    path: Path

    @property
    def weights(self) -> Path:
        """The finished weights."""
        return self.path / run_names.WEIGHTS

    @property
    def model(self) -> Path:
        """Format version, network, parts and settings; written last, so that it also means: finished."""
        return self.path / run_names.MODEL_CARD

    @property
    def last(self) -> Path:
        """What resuming needs: weights, optimizer and generator state of the last checkpoint."""
        return self.path / "last"

    @property
    def metrics(self) -> Path:
        """Accuracy on the validation cases."""
        return self.path / "metrics.csv"

    @property
    def environment(self) -> Path:
        """What it was trained on: versions, device, commit."""
        return self.path / run_names.ENVIRONMENT

    @property
    def cases(self) -> Path:
        """What it was trained with: case, file, role, spacing, checksum, reason if left out."""
        return self.path / run_names.CASES

    @property
    def labels(self) -> Path:
        """The label table of a round of fine-tuning."""
        return self.path / run_names.LABELS

    @property
    def settings(self) -> Path:
        """What a round of fine-tuning was asked; pre-training's settings are in the run folder itself."""
        return self.path / run_names.SETTINGS

    def part(self, number: int) -> ModelFolder:
        """What a round of self-training left behind; 0: the network of annotated cases alone."""
        return ModelFolder(self.path / run_names.SELF_TRAINING / f"{number:02d}")

    @property
    def pseudo_labels(self) -> Path:
        """What this network predicted for cases that nobody annotated; deleted in the end."""
        return self.path / "pseudo_labels"

    @property
    def pseudo_label_table(self) -> Path:
        """Which of these cases taught the next network, and why the others did not."""
        return self.path / "pseudo_labels.csv"

    @property
    def is_finished(self) -> bool:
        """Whether training came to its end here."""
        return self.model.is_file()

    @property
    def can_resume(self) -> bool:
        """Whether training was interrupted after a checkpoint; in self-training, that of any network."""
        networks = (self, *map(ModelFolder, self.path.glob(f"{run_names.SELF_TRAINING}/[0-9]*")))
        return not self.is_finished and any(one.last.is_file() or one.is_finished for one in networks)
