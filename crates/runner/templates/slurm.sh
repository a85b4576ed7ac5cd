#!/bin/sh
# Submits the grid {{ name }} to Slurm: an array of workers, then one job that makes the tables and figures.
set -eu
cd {{ folder }}

array=$(sbatch --parsable --job-name={{ name }} --array=1-{{ workers }} \
  --requeue --signal=B:USR1@120 --open-mode=append --output={{ logs }}/worker-%a.txt \
  {{ options }} <<'WORKER'
#!/bin/sh
{{ worker }} &
worker=$!
# Slurm sends USR1 two minutes before the time limit, and TERM if the job is cancelled or gives way to another.
trap 'kill -USR1 $worker' USR1
trap 'kill -TERM $worker' TERM
code=0
wait $worker || code=$?
# A signal ends `wait` before the worker.
while kill -0 $worker 2>/dev/null; do
  code=0
  wait $worker || code=$?
done
# 138: the worker saved its state because of USR1. Whoever cancels the job wants no other.
if [ $code -eq 138 ]; then
  scontrol requeue "${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}"
fi
exit $code
WORKER
)

tables=$(sbatch --parsable --job-name={{ name }}-tables --dependency=afterany:"$array" --output={{ logs }}/tables.txt \
  {{ options }} <<'TABLES'
#!/bin/sh
{{ tables }}
TABLES
)
echo "job $array computes, job $tables makes tables and figures; their output is in {{ logs }}"
