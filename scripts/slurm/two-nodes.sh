#!/usr/bin/env bash
# A private Slurm of two pretended nodes on this host, on the loopback only, with all its files in one folder.
#
#   two-nodes.sh start FOLDER     then: export SLURM_CONF=FOLDER/slurm.conf
#   two-nodes.sh stop FOLDER
#
# Needs slurmctld and slurmd of Debian or Ubuntu, and root.
set -euo pipefail
command="$1"
folder="$2"
export SLURM_CONF="$folder/slurm.conf"

configure() {
  mkdir -p "$folder"/{state,log,pid,n1,n2}
  cat >"$SLURM_CONF" <<CONF
ClusterName=miniature
SlurmctldHost=$(hostname -s)(127.0.0.1)
SlurmctldPort=16917
SlurmUser=root
SlurmdUser=root
# Nobody else can reach the loopback, so nobody is asked who they are. A requeued job starts cred_expire + 1 seconds later.
AuthType=auth/none
AuthInfo=cred_expire=5
CredType=cred/none
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/%n
SlurmctldPidFile=$folder/pid/slurmctld
SlurmdPidFile=$folder/pid/%n
SlurmctldLogFile=$folder/log/slurmctld
SlurmdLogFile=$folder/log/%n
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=sched_interval=2,bf_interval=2
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
MinJobAge=3600
# A node that is silent this long is down.
SlurmdTimeout=15
ReturnToService=2
KillWait=3
NodeName=n1 NodeHostname=$(hostname -s) NodeAddr=127.0.0.1 Port=17101 CPUs=1 RealMemory=1000
NodeName=n2 NodeHostname=$(hostname -s) NodeAddr=127.0.0.1 Port=17102 CPUs=1 RealMemory=1000
PartitionName=main Nodes=n1,n2 Default=YES MaxTime=INFINITE State=UP
CONF
}

start() {
  configure
  slurmctld -c -f "$SLURM_CONF"
  for node in n1 n2; do
    slurmd -f "$SLURM_CONF" -N "$node"
  done
  for _ in $(seq 150); do
    if [ "$(sinfo -h -N -o %T 2>/dev/null | grep -c '^idle')" = 2 ]; then
      return
    fi
    sleep 0.2
  done
  echo "Slurm did not start; see $folder/log" >&2
  return 1
}

stop() {
  scancel --state=PENDING,RUNNING --user="$(id -un)" 2>/dev/null || true
  for file in "$folder"/pid/*; do
    [ -s "$file" ] || continue
    pid="$(cat "$file")"
    kill "$pid" 2>/dev/null || continue
    for _ in $(seq 100); do
      kill -0 "$pid" 2>/dev/null || break
      sleep 0.1
    done
  done
}

case "$command" in
  start) start ;;
  stop) stop ;;
  *)
    echo "write start or stop" >&2
    exit 2
    ;;
esac
