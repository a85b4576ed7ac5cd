#!/usr/bin/env bash
# Protects the network of `brink example` behind `brink serve`, and verifies it behind servers of other engines, untouched. Prints a table.
# Usage: experiments/verify/engines.sh [VERIFICATIONS of each row]
# It needs Python: pip install -r scripts/peers/requirements.txt
# ENGINES are the servers to ask; the default is all four.
set -euo pipefail
cd "$(dirname "$0")/../.."
each="${1:-42}"

[ -n "${BUILT:-}" ] || cargo build -q --release -p brink --bins
built="$(realpath "${BUILT:-${CARGO_TARGET_DIR:-target}/release}")"
server="$PWD/scripts/owner/server.py"
work="$(mktemp -d)"
trap 'kill $(jobs -p) 2>/dev/null; rm -rf "$work"' EXIT
cd "$work"
export BRINK_KEYS="$work/keys" BRINK_PASSPHRASE=measure
"$built/brink" example example >/dev/null
"$built/brink" keys add owner >/dev/null

# start ENGINE ANSWERS PORT: waits until the server listens.
start() {
  if [ "$1" = brink ]; then
    "$built/brink" serve --weights example/mine.safetensors --model resnet20 --shape 3x32x32 --answers "$2" --bind "127.0.0.1:$3" >/dev/null &
  else
    python3 "$server" "$1" example/mine.safetensors --answers "$2" --port "$3" >/dev/null 2>&1 &
  fi
  for _ in $(seq 600); do
    (exec 3<>"/dev/tcp/127.0.0.1/$3") 2>/dev/null && return
    sleep 0.1
  done
  echo "the server of $1 does not listen" >&2
  exit 1
}

port=8190
url() { echo "http://127.0.0.1:$1/v2/models/mine/infer"; }
protect() {
  "$built/brink" protect --url "$(url "$port")" --images example/photos --shape 3x32x32 --user owner --seed 1 "$@" >/dev/null 2>&1
}
echo "| server | answers, pixels | batch | intact | changed | cannot tell |"
echo "| :--- | :--- | ---: | ---: | ---: | ---: |"
# The marks come from Brink's own server, whichever engines are asked.
start brink labels "$port"
protect --pixels png --classes 10 --out labels.brink
port=$((port + 1))
start brink logits "$port"
protect --pixels channels-first --out logits.brink
for engine in ${ENGINES:-brink pytorch onnxruntime tract}; do
  for answers in labels logits; do
    port=$((port + 1))
    start "$engine" "$answers" "$port"
    for batch in 1 7 32; do
      intact=0 changed=0 unknown=0
      for seed in $(seq "$each"); do
        rm -f "$answers.brink.shown"
        code=0
        "$built/brink" verify "$answers.brink" --url "$(url "$port")" --batch "$batch" --seed "$seed" >/dev/null 2>&1 || code=$?
        case $code in 0) intact=$((intact + 1)) ;; 1) changed=$((changed + 1)) ;; *) unknown=$((unknown + 1)) ;; esac
      done
      pixels="PNG" && [ "$answers" = labels ] || pixels="f32"
      echo "| $engine | $answers, $pixels | $batch | $intact | $changed | $unknown |"
    done
  done
done
