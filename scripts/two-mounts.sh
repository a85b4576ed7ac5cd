#!/usr/bin/env bash
# Checks a shared folder for workers: two workers compute the miniature of the main job through two paths of one folder, and one of them is
# killed. The table must be that of a single process.
#
#   scripts/two-mounts.sh target/release/runner /mnt/a /mnt/b
#
# The paths are two mounts of one folder of a network file system, so that two clients with caches of their own see it. It takes about two
# minutes, and leaves its results in a new folder there.
set -euo pipefail
if [ $# != 3 ]; then
  echo "error: write scripts/two-mounts.sh RUNNER FOLDER FOLDER, the same folder by two mounts" >&2
  exit 2
fi
runner="$(realpath "$1")"
first="$(mktemp -d "$(realpath "$2")/two-mounts.XXXXXX")"
second="$(realpath "$3")/${first##*/}"
if [ ! -d "$second" ]; then
  rmdir "$first"
  echo "error: $3 is not the same folder as $2" >&2
  exit 2
fi
cd "$(dirname "$0")/.."

plain="$(mktemp -d)"
trap 'rm -rf "$plain"' EXIT
"$runner" -q configs/miniature.yaml --out "$plain"

for round in 1 2 3; do
  mkdir "$first/$round"
  "$runner" -q work configs/miniature.yaml --out "$first/$round" --wait --expire 30 &
  one=$!
  "$runner" -q work configs/miniature.yaml --out "$second/$round" --wait --expire 30 &
  other=$!
  sleep $((2 * round))
  kill -9 "$other" 2>/dev/null || true
  how="one worker was killed after $((2 * round)) s"
  if wait "$other" 2>/dev/null; then
    how="the worker to be killed had ended"
  fi
  # It takes over the step of the dead one after 30 seconds.
  wait "$one"
  "$runner" -q table configs/miniature.yaml --out "$second/$round"
  cmp "$plain/miniature/table3.csv" "$first/$round/miniature/table3.csv"
  echo "round $round: $how; the table is the same"
done
