#!/usr/bin/env bash
# Protects the network of `brink example` in three ways, and asks changed copies of it. Prints the tables of this folder's README.
# Usage: experiments/verify/measure.sh [VERIFICATIONS of each change] [of the untouched network]
set -euo pipefail
cd "$(dirname "$0")/../.."
each="${1:-20}" untouched="${2:-1000}"

# BUILT is a folder with the binaries, if they are built already.
[ -n "${BUILT:-}" ] || cargo build -q --release -p brink --bins --examples
built="$(realpath "${BUILT:-${CARGO_TARGET_DIR:-target}/release}")"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
cd "$work"
export BRINK_KEYS="$work/keys" BRINK_PASSPHRASE=measure
"$built/brink" example example >/dev/null
"$built/brink" keys add owner >/dev/null

change() { "$built/examples/modify" example/mine.safetensors "$2" "$1.safetensors"; }
cp example/mine.safetensors untouched.safetensors
change "Adam, 1e-5" '{"finetune": {"lr": 1e-5, "optimizer": "adam", "epochs": 1}}'
change "Adam, 1e-6" '{"finetune": {"lr": 1e-6, "optimizer": "adam", "epochs": 1}}'
change "Adam, 1e-7" '{"finetune": {"lr": 1e-7, "optimizer": "adam", "epochs": 1}}'
change "backdoor, 40 steps" '{"backdoor": {"max_steps": 40}}'
change "pruned, 0.1 %" '{"prune": {"rate": 0.001}}'
change "pruned, 1 %" '{"prune": {"rate": 0.01}}'
change "8 bit" '{"quantize": {"bits": 8}}'
change "one filter by 1 %" '{"nudge": {"part": "filter", "share": 0.01}}'

protect() {
  "$built/brink" protect --weights example/mine.safetensors --model resnet20 --images example/photos --shape 3x32x32 \
    --user owner --seed 1 "${@:2}" --out "$1.brink" 2>/dev/null
}
protect labels --answers labels
protect logits --answers logits
protect head --answers logits --head

# ask MARK WEIGHTS COUNT: one line of JSON for each verification.
ask() {
  for seed in $(seq "$3"); do
    rm -f "$1.brink.shown"
    "$built/brink" verify "$1.brink" --weights "$2" --model resnet20 --seed "$seed" --json | tr -d '\n' || true
    echo
  done
}
for mark in labels logits head; do "$built/brink" inspect "$mark.brink" | grep "  with "; done >&2 || true
for mark in labels logits head; do
  for weights in *.safetensors; do
    count="$each"
    [ "$weights" = untouched.safetensors ] && count="$untouched"
    ask "$mark" "$weights" "$count" >"$mark,$weights.jsonl"
  done
done
python3 - <<'TABLE'
import glob, json, statistics
print("| answers | model | intact | changed | of these, as another transport | cannot tell | images, median | largest |")
print("| :--- | :--- | ---: | ---: | ---: | ---: | ---: | ---: |")
for path in sorted(glob.glob("*.jsonl")):
    mark, model = path.removesuffix(".safetensors.jsonl").split(",", 1)
    said = [json.loads(line) for line in open(path)]
    counts = [sum(one["verdict"] == verdict for one in said) for verdict in ("intact", "changed", "cannot_tell")]
    images = [2 * one["asked"] for one in said]
    counts.insert(2, sum("like" in one for one in said))
    cells = [mark, model, *counts, int(statistics.median(images)), max(images)]
    print("|", " | ".join(map(str, cells)), "|")
TABLE
