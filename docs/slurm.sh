#!/bin/bash
# A study on Slurm: a Ray cluster of this job's nodes, with the study on the first one. Preemption and the time limit interrupt the
# study: finished trials and checkpoints are saved; submit the same command to continue (a preempted job is requeued).
#   sbatch --nodes 4 --gpus-per-node 1 docs/slurm.sh --space optimizers --profile full
#SBATCH --job-name=moco-study
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=8
#SBATCH --time=24:00:00
#SBATCH --signal=B:TERM@120
#SBATCH --requeue
set -euo pipefail
. .venv/bin/activate
export RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH="$PWD/.ray-token-$SLURM_JOB_ID" # on the shared disk, readable by you alone
(umask 077 && python -c 'import secrets; print(secrets.token_hex(32), end="")' > "$RAY_AUTH_TOKEN_PATH")
trap 'rm -f "$RAY_AUTH_TOKEN_PATH"' EXIT
head=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
port=$((20000 + SLURM_JOB_ID % 20000))
srun --nodes 1 --ntasks 1 --nodelist "$head" ray start --head --port "$port" --num-cpus "$SLURM_CPUS_PER_TASK" --block &
sleep 20
if [ "$SLURM_NNODES" -gt 1 ]; then
  srun --nodes $((SLURM_NNODES - 1)) --ntasks $((SLURM_NNODES - 1)) --exclude "$head" ray start --address "$head:$port" --num-cpus "$SLURM_CPUS_PER_TASK" --block &
  sleep 20
fi
python run_study.py --address "$head:$port" "$@" &
study=$!
trap 'kill -TERM "$study"' TERM
wait "$study" || { code=$?; wait "$study" 2>/dev/null || code=$?; exit "$code"; }
