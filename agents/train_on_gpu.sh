#!/usr/bin/env bash
# Trains several agents at once on a machine with one GPU and about 16 cores.
#
#     bash agents/train_on_gpu.sh OUT [MINUTES] [RUNS] [NAME...]
#
# OUT gets one NAME.tar per agent (newest checkpoint, curve.csv, run.json; under 16 MiB each), the
# ladder of Breakout's run, and log.txt. MINUTES (default 8) is the time from start to end. RUNS
# holds runs to go on with, RUNS/NAME/checkpoint-*.zip; it is only read. NAMEs choose some agents.
# FAST_PPO_OPTIONS are given to every run, such as "--envs 4 --device cpu" to try it without a GPU.
# Needs torch, stable-baselines3, sb3-contrib and ale-py for the `python3` of the PATH.
set -eu
out=$1
minutes=${2:-8}
runs=$(mktemp -d)
if [ -n "${3:-}" ]; then cp -r "$3"/. "$runs"; fi
wanted=" ${*:4} "
mkdir -p "$out"
here=$(cd "$(dirname "$0")" && pwd)
export PYTHONUNBUFFERED=1 OMP_NUM_THREADS=1

# name, emulator threads of each of its two groups, mean return to stop at, further options
plan="breakout-ppo       5 400  --ladder
spaceinvaders-ppo  4 1200
pong-ppo-seed2     3 20.3
pong-ppo-sticky    3 20.3
pong-recurrent     3 20    --learning-rate 2.5e-4"

train() {
    local name=$1 threads=$2 aim=$3
    shift 3
    python3 "$here/fast_ppo.py" "$name" --runs "$runs" --minutes "$minutes" --pack "$out" \
        --threads "$threads" --aim "$aim" ${FAST_PPO_OPTIONS:-} "$@" >"$runs/$name.log" 2>&1 ||
        echo "$name failed with $?" >>"$runs/$name.log"
}

while read -r line; do
    if [ $# -gt 3 ] && [[ $wanted != *" ${line%% *} "* ]]; then continue; fi
    # shellcheck disable=SC2086  # its words are arguments
    train $line &
done <<<"$plan"
wait

tail -n 3 "$runs"/*.log
cat "$runs"/*.log >"$out/log.txt"
rm -r "$runs"
if grep -q " failed with " "$out/log.txt"; then exit 1; fi
