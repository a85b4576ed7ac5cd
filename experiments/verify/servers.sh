#!/usr/bin/env bash
# Protects the network of `brink example` in this process, and verifies it as an ONNX file behind MLServer (KServe V2), MLflow and KServe's
# Python server (TensorFlow Serving's requests): untouched, and with one filter changed.
# Usage: experiments/verify/servers.sh [VERIFICATIONS of each row]
# MLSERVER, MLFLOW and KSERVE are folders with Python environments (pip install onnxruntime, and mlserver, mlflow or kserve). A server without
# one is left out. The export needs scripts/peers/requirements.txt.
set -euo pipefail
cd "$(dirname "$0")/../.."
each="${1:-20}"

[ -n "${BUILT:-}" ] || cargo build -q --release -p brink --bins --examples
built="$(realpath "${BUILT:-${CARGO_TARGET_DIR:-target}/release}")"
here="$PWD/experiments/verify" export="$PWD/scripts/owner/export.py"
folder() { if [ -n "$1" ]; then realpath "$1"; fi; }
mlserver="$(folder "${MLSERVER:-}")" mlflow="$(folder "${MLFLOW:-}")" kserve="$(folder "${KSERVE:-}")"
work="$(mktemp -d)"
trap 'kill $(jobs -p) 2>/dev/null; rm -rf "$work"' EXIT
cd "$work"
export BRINK_KEYS="$work/keys" BRINK_PASSPHRASE=measure
"$built/brink" example example >/dev/null
"$built/brink" keys add owner >/dev/null
"$built/examples/modify" example/mine.safetensors '{"nudge": {"part": "filter", "share": 0.01}}' changed.safetensors
python3 "$export" example/mine.safetensors mine.onnx >/dev/null
python3 "$export" changed.safetensors changed.onnx >/dev/null
"$built/brink" protect --weights example/mine.safetensors --model resnet20 --images example/photos --shape 3x32x32 --user owner --seed 1 2>/dev/null

# listens PORT: waits until somebody listens.
listens() {
  for _ in $(seq 1200); do
    (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null && return
    sleep 0.1
  done
  echo "nobody listens at port $1" >&2
  exit 1
}
if [ -n "$mlserver" ]; then
  mkdir models
  for model in mine changed; do
    mkdir "models/$model"
    cp "$here/mlserver/runtime.py" "models/$model/"
    echo "{\"name\": \"$model\", \"implementation\": \"runtime.Onnx\", \"parameters\": {\"uri\": \"$work/$model.onnx\"}}" >"models/$model/model-settings.json"
  done
  echo '{"http_port": 8390, "grpc_port": 8391, "metrics_port": 8392, "parallel_workers": 0}' >models/settings.json
  (cd models && exec "$mlserver/bin/mlserver" start . >../mlserver.log 2>&1) &
  listens 8390
fi
if [ -n "$mlflow" ]; then
  port=8393
  for model in mine changed; do
    "$mlflow/bin/python" "$here/mlflow/save.py" "$model.onnx" "mlflow-$model" >/dev/null 2>&1
    PATH="$mlflow/bin:$PATH" "$mlflow/bin/mlflow" models serve -m "mlflow-$model" --env-manager local --port "$port" >"mlflow-$model.log" 2>&1 &
    listens "$port"
    port=$((port + 1))
  done
fi
if [ -n "$kserve" ]; then
  "$kserve/bin/python" "$here/kserve/serve.py" mine=mine.onnx changed=changed.onnx --http_port 8395 --grpc_port 8396 >kserve.log 2>&1 &
  listens 8395
fi
sleep 5

# row SERVER MODEL URL OPTION...
row() {
  local intact=0 changed=0 unknown=0 code seed
  for seed in $(seq "$each"); do
    rm -f model.brink.shown
    code=0
    "$built/brink" verify model.brink --url "$3" "${@:4}" --seed "$seed" >last.txt 2>&1 || code=$?
    case $code in 0) intact=$((intact + 1)) ;; 1) changed=$((changed + 1)) ;; 3) unknown=$((unknown + 1)) ;; *) cat last.txt >&2 && exit 1 ;; esac
  done
  echo "| $1 | $2 | $intact | $changed | $unknown |"
}
echo "| server | model | intact | changed | cannot tell |"
echo "| :--- | :--- | ---: | ---: | ---: |"
if [ -n "$mlserver" ]; then
  row MLServer untouched http://127.0.0.1:8390/v2/models/mine/infer --api kserve
  row MLServer "one filter by 1 %" http://127.0.0.1:8390/v2/models/changed/infer --api kserve
fi
if [ -n "$mlflow" ]; then
  row MLflow untouched http://127.0.0.1:8393/invocations --api mlflow
  row MLflow "one filter by 1 %" http://127.0.0.1:8394/invocations --api mlflow
fi
if [ -n "$kserve" ]; then
  row KServe untouched http://127.0.0.1:8395/v1/models/mine:predict --api tensorflow --pixels channels-first
  row KServe "one filter by 1 %" http://127.0.0.1:8395/v1/models/changed:predict --api tensorflow --pixels channels-first
fi
