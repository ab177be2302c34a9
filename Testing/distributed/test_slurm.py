"""The scripts for Slurm, with stand-ins for its commands and for Python: what they start, and start again."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "Resources" / "slurm"

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="clusters run Linux")

SRUN = """#!/bin/bash
# Starts two processes, each of which learns from Slurm which one it is; the highest exit code is its own.
shift # --kill-on-bad-exit
for n in 0 1; do SLURM_PROCID=$n SLURM_LOCALID=$n SLURM_NTASKS=2 "$@" & processes+=($!); done
code=0
for process in "${processes[@]}"; do wait "$process" || { found=$?; ((found > code)) && code=$found; }; done
exit $code
"""
SCONTROL = """#!/bin/bash
if [ "$1" = show ]; then printf 'node1\\nnode2\\n'; else echo "$@" >> requeued; fi
"""
PYTHON = """#!/bin/bash
environment="${RANK:-} ${LOCAL_RANK:-} ${WORLD_SIZE:-} ${MASTER_ADDR:-} ${MASTER_PORT:-}"
echo "$environment $*" >> "started-$SLURM_PROCID"
exit "$CODE"
"""


@pytest.fixture
def a_cluster(tmp_path: Path) -> dict[str, str]:
    """The environment of a job, in which the commands are stand-ins."""
    commands = tmp_path / "commands"
    commands.mkdir()
    for name, text in {"srun": SRUN, "scontrol": SCONTROL, "python": PYTHON}.items():
        (commands / name).write_text(text)
        (commands / name).chmod(0o755)
    job = {"SLURM_JOB_ID": "77", "SLURM_ARRAY_JOB_ID": "70", "SLURM_ARRAY_TASK_ID": "7"}
    return {
        **os.environ,
        **job,
        "SLURM_JOB_NODELIST": "node[1-2]",
        "PATH": f"{commands}:{os.environ['PATH']}",
    }


def _run(script: str, words: list[str], code: int, cluster: dict[str, str], folder: Path) -> int:
    done = subprocess.run(
        ["bash", str(SCRIPTS / script), *words], cwd=folder, env={**cluster, "CODE": str(code)}, check=False
    )
    return done.returncode


def test_each_process_on_each_node_knows_which_one_it_is(a_cluster, tmp_path):
    words = ["pretrain", "my run", "--images", "scans"]

    assert _run("several_nodes.sh", words, 0, a_cluster, tmp_path) == 0

    for n in (0, 1):
        started = (tmp_path / f"started-{n}").read_text()
        assert started == f"{n} {n} 2 node1 20077 -m ContrastiveSegLib pretrain my run --images scans\n"
    assert not (tmp_path / "requeued").exists()


@pytest.mark.parametrize(("script", "job"), [("several_nodes.sh", "77"), ("truth_meter.sh", "70_7")])
def test_a_job_that_saved_is_queued_again_and_one_that_failed_is_not(script, job, a_cluster, tmp_path):
    assert _run(script, ["data", "runs"], 1, a_cluster, tmp_path) == 1
    assert not (tmp_path / "requeued").exists()

    assert _run(script, ["data", "runs"], 130, a_cluster, tmp_path) == 130
    assert (tmp_path / "requeued").read_text() == f"requeue {job}\n"
