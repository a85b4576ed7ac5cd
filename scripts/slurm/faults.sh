#!/usr/bin/env bash
# A grid on a Slurm of two nodes whose parts die: a node, the controller, a cancelled task. The rows must be those of one process. It takes
# some minutes, because Slurm notices a dead node late.
#
#   scripts/slurm/faults.sh PROGRAM
#
# Needs root and the packages that scripts/slurm/miniature.sh installs.
set -euo pipefail
cd "$(dirname "$0")/../.."
program="$(realpath "$1")"
folder="$(mktemp -d)"
trap 'scripts/slurm/two-nodes.sh stop "$folder/slurm"; rm -rf "$folder"' EXIT
scripts/slurm/two-nodes.sh start "$folder/slurm"
export SLURM_CONF="$folder/slurm/slurm.conf"
# A grid of many short steps, so that each fault meets one.
grid=(configs/miniature.yaml --set attack_seeds=12 --set sample_sets=2)

mkdir -p "$folder/two/jobs/miniature" # for what the jobs print
"$program" -q "${grid[@]}" --out "$folder/one" >/dev/null

began=$SECONDS
say() { echo "$((SECONDS - began)) s: $*"; }
state() { scontrol --oneliner show job "$1" 2>/dev/null | sed 's/.*JobState=\([A-Z]*\).*/\1/'; }
# submit: an array of two workers that take a silent one for dead after 20 seconds.
submit() {
  "$program" submit "${grid[@]}" --out "$folder/two" --array-limit 2 --dry-run -- --time=10 |
    sed 's/ --wait &$/ --wait --expire 20 \&/' >"$folder/submit.sh"
  said="$(sh "$folder/submit.sh")"
  array="$(sed 's/^job \([0-9]*\) computes.*/\1/' <<<"$said")"
  tables="$(sed 's/.*, job \([0-9]*\) makes.*/\1/' <<<"$said")"
}
done_steps() { find "$folder/two/store/runs" -name '*.json' 2>/dev/null | wc -l; }
until_done() { while [ "$(done_steps)" -lt "$1" ] && [ -n "$(squeue -h -j "$array" 2>/dev/null)" ]; do sleep 0.2; done; }

submit
until_done 10
say "a node dies with its task, after $(done_steps) runs"
kill -9 "$(cat "$folder/slurm/pid/n2")" || true
pkill -9 -f "slurmstepd.*\[$array" || true
pkill -9 -f "$program work .*--out $folder/two" -n || true

until_done 25
say "the controller dies, after $(done_steps) runs"
kill -9 "$(cat "$folder/slurm/pid/slurmctld")" || true
sleep 3
slurmctld -f "$SLURM_CONF"
for _ in $(seq 50); do if sinfo -h >/dev/null 2>&1; then break; fi; sleep 0.2; done

until_done 40
say "one task is cancelled, after $(done_steps) runs"
scancel "${array}_1" 2>/dev/null || true
slurmd -f "$SLURM_CONF" -N n2 || true

submissions=1
for _ in $(seq 600); do
  case "$(state "$tables")" in
    COMPLETED) break ;;
    FAILED | CANCELLED | TIMEOUT | "")
      # The array was over before the work: whoever runs the grid submits it again.
      submit
      submissions=$((submissions + 1))
      ;;
  esac
  sleep 1
done
say "the tables are made, after $submissions submissions and $(done_steps) runs"
cmp "$folder"/{one,two}/miniature/table3.csv
cmp "$folder"/{one,two}/miniature/table3.md
echo "the tables are those of one process"
