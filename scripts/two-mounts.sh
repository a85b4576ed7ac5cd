#!/usr/bin/env bash
# Checks a shared folder for workers: two workers compute the miniature of the main job through two paths of one folder, and one of them is
# killed. The table must be the one of a single process.
#
#   scripts/two-mounts.sh target/release/runner /mnt/a/check /mnt/b/check
#
# The paths are two mounts of one folder of a network file system, so that two clients with caches of their own see it. On two hosts, mount
# one host's folder on the other and run this there. It takes about two minutes, and leaves its results in the folder.
set -euo pipefail
runner="$(realpath "$1")"
first="$2"
second="$3"
cd "$(dirname "$0")/.."

plain="$(mktemp -d)"
trap 'rm -rf "$plain"' EXIT
"$runner" -q configs/miniature.yaml --out "$plain"

for round in 1 2 3; do
  mkdir -p "$first/$round"
  "$runner" -q work configs/miniature.yaml --out "$first/$round" --wait --expire 30 &
  one=$!
  "$runner" -q work configs/miniature.yaml --out "$second/$round" --wait --expire 30 &
  other=$!
  sleep $((2 * round))
  kill -9 "$other" || true
  wait "$other" 2>/dev/null || true
  # It takes over the step of the dead one after 30 seconds.
  wait "$one"
  "$runner" -q table configs/miniature.yaml --out "$second/$round"
  cmp "$plain/miniature/table3.csv" "$first/$round/miniature/table3.csv"
  echo "round $round: one worker killed after $((2 * round)) s, the same table"
done
