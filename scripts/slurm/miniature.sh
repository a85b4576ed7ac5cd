#!/usr/bin/env bash
# `runner submit` on a Slurm of two nodes: an array of workers, one of which must leave early and is requeued, then the job that makes
# the tables. The rows must be those of one process.
#
#   scripts/slurm/miniature.sh PROGRAM
#
# Says why it is skipped where Slurm cannot be had.
set -euo pipefail
cd "$(dirname "$0")/../.."
program="$(realpath "$1")"

if ! command -v slurmctld slurmd sbatch >/dev/null; then
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null ||
    ! { apt-get update -q && apt-get install -y -q --no-install-recommends slurmctld slurmd slurm-client; } >/dev/null 2>&1; then
    echo "skipped: there is no Slurm, and it cannot be installed here"
    exit 0
  fi
fi
if [ "$(id -u)" != 0 ]; then
  echo "skipped: the daemons of Slurm must be started by root"
  exit 0
fi

folder="$(mktemp -d)"
trap 'scripts/slurm/two-nodes.sh stop "$folder/slurm"; rm -rf "$folder"' EXIT
if ! scripts/slurm/two-nodes.sh start "$folder/slurm"; then
  echo "skipped: Slurm does not start on this host"
  exit 0
fi
export SLURM_CONF="$folder/slurm/slurm.conf"

"$program" -q configs/miniature.yaml --out "$folder/one" >/dev/null

said="$("$program" submit configs/miniature.yaml --out "$folder/two" --array-limit 2 -- --time=10)"
echo "$said"
array="$(sed 's/^job \([0-9]*\) computes.*/\1/' <<<"$said")"
tables="$(sed 's/.*, job \([0-9]*\) makes.*/\1/' <<<"$said")"

# One worker leaves as if its time were over. Slurm starts it again, and it goes on.
for _ in $(seq 600); do
  if [ -n "$(ls "$folder/two/store/claims" 2>/dev/null)" ]; then break; fi
  sleep 0.1
done
scancel --batch --signal=USR1 "${array}_1"

state() {
  scontrol --oneliner show job "$1" | sed 's/.*JobState=\([A-Z]*\).*/\1/'
}
for _ in $(seq 300); do
  case "$(state "$tables")" in
    COMPLETED) break ;;
    FAILED | CANCELLED | TIMEOUT)
      cat "$folder"/two/jobs/miniature/*.txt >&2
      exit 1
      ;;
  esac
  sleep 1
done
if ! cmp "$folder"/{one,two}/miniature/table3.csv || ! cmp "$folder"/{one,two}/miniature/table3.md; then
  cat "$folder"/two/jobs/miniature/*.txt >&2
  exit 1
fi
requeued="$(scontrol --oneliner show job "${array}_1" | sed 's/.*Restarts=\([0-9]*\).*/\1/')"
[ "$requeued" = 1 ]
grep -l "begins" "$folder"/two/jobs/miniature/worker-*.txt | wc -l | sed 's/$/ workers computed; the tables are those of one process/'
