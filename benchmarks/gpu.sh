#!/usr/bin/env bash
# The GPU's tables, in one command: tests of the engines on CUDA, then every backend against the paper's graph.
#   bash benchmarks/gpu.sh OUT [DEVICE [ROUNDS]]
# OUT gets tests.txt and a folder for each precision with bench.md and bench.json. Started again it skips what is there,
# so that a machine which lends itself for ten minutes a time gets it done, too.
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:?usage: bash benchmarks/gpu.sh OUT [DEVICE [ROUNDS]]}
device=${2:-cuda}
rounds=${3:-50}
mkdir -p "$out"

[[ -s "$out/tests.txt" ]] || python -m pytest test/engine -ra -p no:cacheprovider 2>&1 | tee "$out/tests.txt" || true

bench() {  # NAME ARGUMENTS...
  local name=$1
  shift
  [[ -s "$out/$name/done" ]] && return
  python -m mrfs_ros.cli.main bench --device "$device" --rounds "$rounds" --out "$out/$name" "$@" | tee "$out/$name.txt"
  date -u > "$out/$name/done"
}

for variant in mit_b0 mit_b2 mit_b4; do
  bench "$variant-fp16" --variants "$variant" --alone
done
bench mit_b0-sizes --variants mit_b0 --backends torch --sizes 240x320,480x640,720x1280
bench mit_b0-batches --variants mit_b0 --backends torch --batches 1,4,16
bench mit_b4-bf16 --variants mit_b4 --backends torch --precision bf16  # last: refused without a GPU
