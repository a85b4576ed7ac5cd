#!/usr/bin/env bash
# A grid on a Slurm of two nodes whose parts die: twenty workers at random moments, a node, the controller, a cancelled task. Tasks that work for
# longer than a minute or two meet their time limit. The rows must be those of one process. It takes eight minutes.
#
#   scripts/slurm/faults.sh PROGRAM
#
# Needs root and the packages that scripts/slurm/miniature.sh installs.
set -euo pipefail
if [ $# != 1 ] || [ ! -x "$1" ]; then
  echo "error: write scripts/slurm/faults.sh PROGRAM, e.g. target/debug/runner" >&2
  exit 2
fi
program="$(realpath "$1")"
cd "$(dirname "$0")/../.."
folder="$(mktemp -d)"
trap 'scripts/slurm/two-nodes.sh stop "$folder/slurm"; rm -rf "$folder"' EXIT
scripts/slurm/two-nodes.sh start "$folder/slurm"
export SLURM_CONF="$folder/slurm/slurm.conf"
RANDOM=26 # the moments of the kills
# A grid of many short steps, so that each fault meets one.
grid=(configs/miniature.yaml --set attack_seeds=40 --set sample_sets=3)

mkdir -p "$folder/two/jobs/miniature" # for what the jobs print
"$program" -q "${grid[@]}" --out "$folder/one" >/dev/null

began=$SECONDS
say() { echo "$((SECONDS - began)) s: $*"; }
state() { scontrol --oneliner show job "$1" 2>/dev/null | sed 's/.*JobState=\([A-Z]*\).*/\1/'; }
# submit: an array of two workers that take a silent one for dead after 20 seconds. Slurm asks them to leave one minute after they began.
submit() {
  "$program" submit "${grid[@]}" --out "$folder/two" --array-limit 2 --dry-run -- --time=3 |
    sed 's/ --wait &$/ --wait --expire 20 \&/' >"$folder/submit.sh"
  said="$(sh "$folder/submit.sh")"
  array="$(sed 's/^job \([0-9]*\) computes.*/\1/' <<<"$said")"
  tables="$(sed 's/.*, job \([0-9]*\) makes.*/\1/' <<<"$said")"
  submissions=$((submissions + 1))
}
# submit_if_over: what whoever runs the grid does when no task is left and steps are.
submit_if_over() { if [ -z "$(squeue -h -j "$array" 2>/dev/null)" ]; then submit; fi; }
workers() { pgrep -f "^$program work .*--out $folder/two" || true; }
done_steps() { find "$folder/two/store/runs" -name '*.json' 2>/dev/null | wc -l; }
until_done() { while [ "$(done_steps)" -lt "$1" ] && [ -n "$(squeue -h -j "$array" 2>/dev/null)" ]; do sleep 0.2; done; }

submissions=0
submit
kills=0
while [ "$kills" -lt 20 ]; do
  sleep "$((1 + RANDOM % 9)).$((RANDOM % 10))"
  submit_if_over
  # The first five may meet the training and the samples, the others meet runs.
  if [ "$kills" -ge 5 ]; then until_done $(($(done_steps) + 1)); fi
  mapfile -t alive < <(workers)
  if [ "${#alive[@]}" -gt 0 ] && kill -9 "${alive[RANDOM % ${#alive[@]}]}" 2>/dev/null; then
    kills=$((kills + 1))
    say "kill $kills: a worker dies, after $(done_steps) runs"
  fi
done

submit_if_over
until_done $(($(done_steps) + 20))
say "a node dies with its task, after $(done_steps) runs"
kill -9 "$(cat "$folder/slurm/pid/n2")" || true
pkill -9 -f "slurmstepd.*\[$array" || true
kill -9 "$(workers | tail -n 1)" || true

until_done $(($(done_steps) + 20))
say "the controller dies, after $(done_steps) runs"
kill -9 "$(cat "$folder/slurm/pid/slurmctld")" || true
sleep 3
slurmctld -f "$SLURM_CONF"
for _ in $(seq 50); do if sinfo -h >/dev/null 2>&1; then break; fi; sleep 0.2; done

until_done $(($(done_steps) + 20))
say "one task is cancelled, after $(done_steps) runs"
scancel "${array}_1" 2>/dev/null || true
slurmd -f "$SLURM_CONF" -N n2 || true

for _ in $(seq 1200); do
  case "$(state "$tables")" in
    COMPLETED) break ;;
    FAILED | CANCELLED | TIMEOUT | "") submit ;;
  esac
  sleep 1
done
# A task starts again after its time limit, and after the death of its node.
restarts="$(scontrol --oneliner show job | grep -o 'Restarts=[0-9]*' | awk -F= '{ sum += $2 } END { print sum }')"
say "the tables are made, after $submissions submissions, $restarts restarts of tasks and $(done_steps) runs"
"$program" -q check "${grid[@]}" --out "$folder/two"
cmp "$folder"/{one,two}/miniature/table3.csv
cmp "$folder"/{one,two}/miniature/table3.md
echo "the tables are those of one process"
