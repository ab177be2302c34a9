#!/bin/bash
# The truth meter as an array of Slurm jobs: each takes one GPU and runs that no other one works at, and all
# fill one table. A job whose time ends saves, and is queued again.
#
#     sbatch --array=0-7 Resources/slurm/truth_meter.sh DATA RUNS --results RESULTS --profile full
#SBATCH --job-name=truth-meter
#SBATCH --ntasks=1
#SBATCH --gpus-per-task=1
#SBATCH --cpus-per-task=8
#SBATCH --time=24:00:00
#SBATCH --signal=USR1@300
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=truth-meter-%A-%a.txt
set -euo pipefail

saved=130 # the exit code of a job that was asked to stop, and has saved

code=0
srun --kill-on-bad-exit=1 python Testing/Benchmarks/accuracy.py "$@" || code=$?
if [ "$code" -eq "$saved" ]; then
    scontrol requeue "${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}"
fi
exit "$code"
