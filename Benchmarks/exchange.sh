#!/usr/bin/env bash
# Times the exchange of gradients among N workers on hosts of their own, linked at a given rate, and PyTorch's Gloo on the
# same links, by turns. Hosts are network namespaces on a bridge; the token bucket of each link shapes both directions.
# Linux, root, iproute2. Usage:
#
#     Benchmarks/exchange.sh PROGRAM [WORKERS=4] [RATE_MBIT=1000] [BYTES=44000000] [PYTHON WITH TORCH] [16]
set -euo pipefail

program=$1 workers=${2:-4} rate=${3:-1000} bytes=${4:-44000000} python=${5:-} bits=${6:-32}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

down() {
    for i in $(seq "$workers"); do ip netns del "qx$i" 2>/dev/null || true; done
    ip link del qxbridge 2>/dev/null || true
}

up() {
    ip link add qxbridge type bridge
    ip link set qxbridge up
    for i in $(seq "$workers"); do
        ip netns add "qx$i"
        ip link add "qxlink$i" type veth peer name eth0 netns "qx$i"
        ip link set "qxlink$i" master qxbridge up
        ip -n "qx$i" addr add "10.88.0.$i/24" dev eth0
        ip -n "qx$i" link set eth0 up
        ip -n "qx$i" link set lo up
        # The bucket drops segments larger than itself.
        ip link set "qxlink$i" gso_max_size 16384 2>/dev/null || true
        ip -n "qx$i" link set eth0 gso_max_size 16384 2>/dev/null || true
        tc qdisc add dev "qxlink$i" root tbf rate "${rate}mbit" burst 512kb latency 100ms
        tc -n "qx$i" qdisc add dev eth0 root tbf rate "${rate}mbit" burst 512kb latency 100ms
    done
}

# Runs a command on every host; %i stands for its number from 0.
everywhere() {
    local jobs=() status=0
    for i in $(seq 0 $((workers - 1))); do
        ip netns exec "qx$((i + 1))" "${@//%i/$i}" &
        jobs+=($!)
    done
    for job in "${jobs[@]}"; do wait "$job" || status=1; done
    return $status
}

trap down EXIT
down
up
roster=$(for i in $(seq "$workers"); do echo "10.88.0.$i:7077"; done | paste -sd,)
for round in 1 2 3; do
    everywhere "$program" %i "$roster" "$bytes" "${rate}000000" 5 "$bits"
    if [[ -n $python ]]; then
        everywhere "$python" "$here/gloo_all_reduce.py" %i "$workers" 10.88.0.1 "$bytes" "${rate}000000"
    fi
done
