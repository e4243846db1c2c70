#!/usr/bin/env bash
# Trains models/mrfs_b0_street on one GPU: train_street.sh DATA.zip RESULTS [BUDGET, such as 25m] [more options of mrfs train]
# DATA.zip is benchmarks/pack_dataset.py's. Called again after an interruption, it goes on where it was.
set -euo pipefail
data=$(realpath "$1")
mkdir -p "$2"
results=$(realpath "$2")
budget=${3:-25m}
shift "$(($# < 3 ? $# : 3))"
cd "$(dirname "$0")/.."
export PYTHONPATH=$PWD${PYTHONPATH:+:$PYTHONPATH}

python=${PYTHON:-python3}
options=("$@")
"$python" -c "import tensorboard" 2>/dev/null || options+=(--set tensorboard=false)

run=runs/street_gpu
[[ -f $run/latest.pt ]] && options+=(--resume) || rm -rf "$run"
rm -rf runs/street_data
"$python" -m zipfile -e "$data" runs/street_data
"$python" -m mrfs_ros.cli.main train config/train_street_gpu.yaml --out "$run" --time-budget "$budget" "${options[@]}"
"$python" -m mrfs_ros.cli.main evaluate config/train_street_gpu.yaml --weights "$run/best.safetensors" --baselines \
  --out "$run/scores"

cp "$run"/{config.yaml,run.json,metrics.jsonl} "$run"/scores/{scores.md,scores.json,contact_sheet.jpg} "$results"
split --bytes 15m --numeric-suffixes "$run/best.safetensors" "$results/best.safetensors.part"
echo "put together with: cat $results/best.safetensors.part* > models/mrfs_b0_street.safetensors"
