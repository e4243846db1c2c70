#!/usr/bin/env bash
# The GPU's tables in steps, each on its own; a call ends within nine minutes, and the same call again goes on.
#   bash benchmarks/gpu.sh OUT [engines|table|node|all]     the most telling first; default: all, in this order
# engines: mit_b0 and mit_b4 in fp16 against eager fp32, test/engine/test_cuda.py. table: the rest of the tables.
# node: the node with the CUDA engine over DDS. OUT gets a text for each step, its bench.md and bench.json as they grow,
# and summary.txt. MINUTES (9), DEVICE (cuda) and ROUNDS (50) come from the environment.
# Ends with 0 when all is done, 1 when a step failed, 2 when it cannot begin, 3 when time was up before the end.
set -uo pipefail
cd "$(dirname "$0")/.."
if [[ -z ${1:-} ]]; then
  echo "usage: bash benchmarks/gpu.sh OUT [engines|table|node|all]" >&2
  exit 2
fi
out=$(realpath -m "$1")
jobs=${2:-all}
limit_s=$((${MINUTES:-9} * 60 - 20))  # steps are stopped a little earlier, to write the summary
device=${DEVICE:-cuda}
rounds=${ROUNDS:-50}
python=${PYTHON:-python}
export PYTHONPATH=$PWD${PYTHONPATH:+:$PYTHONPATH}
# Compiled kernels outlive the call: a network that was stopped while it was compiled is not begun anew.
export TORCHINDUCTOR_CACHE_DIR=${TORCHINDUCTOR_CACHE_DIR:-$PWD/out/inductor}
failed=()

if ! "$python" -c "from mrfs_ros.engine.load import resolve_device; resolve_device('$device')" 2> /dev/null; then
  echo "gpu.sh: $python has no PyTorch that sees device $device: set PYTHON, or DEVICE=cpu to rehearse" >&2
  exit 2
fi
mkdir -p "$out" || exit 2

say() { echo "gpu.sh: $*"; }

summary() {
  {
    "$python" -c 'import platform, torch; print(f"Python {platform.python_version()}, PyTorch {torch.__version__}, CUDA",
      torch.version.cuda, torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU")'
    echo "done: $(cd "$out" && find . -name '*.done' -printf '%f\n' | sed 's/\.done$//' | sort | xargs)"
    echo "failed in the last call: ${failed[*]:-none}"
    for table in "$out"/*/bench.md; do
      [[ -f $table ]] && grep '^|' "$table" | sed '/^| ---/d' | sort -u
    done | awk '!seen[$0]++'
  } > "$out/summary.txt"
}

step() {  # NAME COMMAND...: unless it is done; its output goes to NAME.txt
  local name=$1 left=$((limit_s - SECONDS)) code
  shift
  [[ -f $out/$name.done ]] && return
  if ((left < 20)); then
    time_is_up "before $name"
  fi
  say "$name, at most $left s: $*"
  timeout --kill-after=10 "$left" "$@" 2>&1 | tee "$out/$name.txt"
  code=${PIPESTATUS[0]}
  if ((code == 124 || code == 137)); then
    time_is_up "in $name"
  elif ((code == 0)); then
    date -u > "$out/$name.done"
  else
    failed+=("$name")
    say "$name failed with exit code $code; going on"
  fi
  summary
}

time_is_up() {
  summary
  say "time is up $1: call again to go on; so far: $out/summary.txt"
  exit 3
}

bench() {  # NAME ARGUMENTS...
  local name=$1
  shift
  step "$name" "$python" -m mrfs_ros.cli.main bench --device "$device" --rounds "$rounds" --out "$out/$name" "$@"
}

skip() {  # NAME REASON: said in the summary's place, tried again with the next call
  say "$1 is left out: $2" | tee "$out/$1.txt"
}

engines() {
  bench mit_b0 --untrained mit_b0 --backends torch
  bench mit_b4 --untrained mit_b4 --backends torch
  if "$python" -c "import pytest" 2>/dev/null; then
    step tests "$python" -m pytest test/engine/test_cuda.py -ra -p no:cacheprovider
  else
    skip tests "pytest is not installed"
  fi
}

table() {
  bench mit_b2 --untrained mit_b2 --backends torch
  for size in 240x320 720x1280; do
    bench "mit_b0-$size" --untrained mit_b0 --backends torch --sizes "$size"
  done
  for batch in 4 16; do
    bench "mit_b0-batch-$batch" --untrained mit_b0 --backends torch --batches "$batch"
  done
  if [[ $device == cuda* ]]; then
    bench mit_b4-bf16 --untrained mit_b4 --backends torch --precision bf16
  else
    skip mit_b4-bf16 "precision bf16 is for CUDA"
  fi
  for variant in mit_b0 mit_b4; do
    bench "$variant-all" --untrained "$variant"
  done
  bench mit_b0-alone --untrained mit_b0 --alone
}

node() {
  if "$python" -c "import rclpy" 2>/dev/null; then
    step node "$python" benchmarks/ros_transport.py --seconds 20 --encoder-sides 0,240 --device "$device"
  else
    skip node "rclpy is not installed: make setup, or its wheels on PYTHONPATH"
  fi
}

case $jobs in
  engines | table | node) "$jobs" ;;
  all) engines && table && node ;;
  *)
    say "unknown job $jobs: expected engines, table, node or all"
    exit 2
    ;;
esac
summary
cat "$out/summary.txt"
((${#failed[@]} == 0))
