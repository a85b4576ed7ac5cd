#!/bin/sh
# Submits the grid {{ name }} to PBS: an array of workers, then one job that makes the tables and figures.
set -eu
cd {{ folder }}

array=$(qsub -N {{ name }} -J 1-{{ workers }} -r y -j oe -o {{ logs }}/ -V {{ options }} <<'WORKER'
#!/bin/sh
cd {{ folder }}
{{ worker }} &
worker=$!
# PBS sends TERM before the time limit. The worker saves its state within two seconds, and ends with 143.
trap 'kill -TERM $worker' TERM
code=0
wait $worker || code=$?
while kill -0 $worker 2>/dev/null; do
  code=0
  wait $worker || code=$?
done
if [ $code -eq 143 ]; then
  qrerun "$PBS_JOBID"
fi
exit $code
WORKER
)

tables=$(qsub -N {{ name }}-tables -W depend=afterany:"$array" -j oe -o {{ logs }}/ -V {{ options }} <<'TABLES'
#!/bin/sh
cd {{ folder }}
{{ tables }}
TABLES
)
echo "job $array computes, job $tables makes tables and figures; their output is in {{ logs }}"
