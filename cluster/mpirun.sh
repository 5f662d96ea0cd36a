#!/bin/bash
# A coordinator here, and workers wherever an MPI launcher starts them. MPI carries no data.
#
#   cluster/mpirun.sh JOB.yml WORKERS [OUTPUT] [-- OPTION...]        options go to mpirun, such as --hostfile FILE
#
# LANES: lanes of each worker (2). PORT: where workers connect (5555). HOST: this machine as workers reach it.
set -u
usage="usage: mpirun.sh JOB.yml WORKERS [OUTPUT] [-- OPTION...]"
job=${1:?$usage}
workers=${2:?$usage}
shift 2
output=quantsim-output
if [ $# -gt 0 ] && [ "$1" != -- ]; then
    output=$1
    shift
fi
if [ $# -gt 0 ]; then
    shift
fi
port=${PORT:-5555}
host=${HOST:-$(hostname)}

quantsim coordinator "$job" --bind "tcp://*:$port" --output "$output" &
coordinator=$!
trap 'kill -TERM "$coordinator" 2>/dev/null' TERM INT

# Open MPI ends all processes when one dies, unless it is told that the job recovers; with MPICH write
# -disable-auto-cleanup instead. Binding to one core would stack all lanes of a worker on it.
mpirun --np "$workers" --enable-recovery --bind-to none "$@" \
    quantsim worker --connect "tcp://$host:$port" --lanes "${LANES:-2}" &
launcher=$!

wait "$coordinator"
status=$?
# A trapped signal ends `wait` early.
while kill -0 "$coordinator" 2>/dev/null; do
    wait "$coordinator"
    status=$?
done
# Workers that were not told that the job is over, because the coordinator failed.
[ "$status" -eq 0 ] || kill -TERM "$launcher" 2>/dev/null
wait "$launcher"
exit "$status"
