"""What Slicer loads must not bring torch along."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_volumes_and_runs_and_the_method_catalog_need_no_torch() -> None:
    script = Path(__file__).with_name("without_torch.py")

    # A process of its own, because other tests have already imported torch into this one.
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert "pretraining pcl" in done.stdout
