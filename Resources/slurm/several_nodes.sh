#!/bin/bash
# One job on several computers, with a process for each GPU. When its time ends it saves, and is queued again.
#
#     sbatch --nodes=2 Resources/slurm/several_nodes.sh pretrain RUN --images FOLDER --batch 64
#SBATCH --job-name=contrastiveseg
#SBATCH --ntasks-per-node=4
#SBATCH --gpus-per-node=4
#SBATCH --cpus-per-task=8
#SBATCH --time=24:00:00
#SBATCH --signal=USR1@300
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=contrastiveseg-%j.txt
set -euo pipefail

saved=130 # the exit code of a job that was asked to stop, and has saved

mapfile -t nodes < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
MASTER_ADDR=${nodes[0]}
MASTER_PORT=$((20000 + SLURM_JOB_ID % 20000))
export MASTER_ADDR MASTER_PORT

code=0
# Each process asks Slurm which one it is, only after it was started: hence the single quotes.
# shellcheck disable=SC2016
srun --kill-on-bad-exit=1 bash -c '
    export RANK=$SLURM_PROCID LOCAL_RANK=$SLURM_LOCALID WORLD_SIZE=$SLURM_NTASKS
    exec python -m ContrastiveSegLib "$@"' job "$@" || code=$?
if [ "$code" -eq "$saved" ]; then
    scontrol requeue "$SLURM_JOB_ID"
fi
exit "$code"
