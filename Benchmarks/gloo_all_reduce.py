"""One worker of an all-reduce with PyTorch's Gloo: INDEX WORKERS MASTER BYTES LINE_BITS_PER_SECOND. Worker 0 prints a line
of JSON like that of the `exchange` benchmark. Run by exchange.sh."""

import json
import os
import sys
import time

import torch
import torch.distributed as distributed

index, workers, master, size, line = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], int(sys.argv[4]), float(sys.argv[5])
os.environ.update(MASTER_ADDR=master, MASTER_PORT="7078", GLOO_SOCKET_IFNAME="eth0")
torch.set_num_threads(1)
distributed.init_process_group("gloo", rank=index, world_size=workers)
values = torch.ones(size // 4)
distributed.all_reduce(values)
times = []
for _ in range(5):
    distributed.barrier()
    began = time.perf_counter()
    distributed.all_reduce(values)
    times.append(time.perf_counter() - began)
if index == 0:
    median = sorted(times)[len(times) // 2]
    bound = 2 * (workers - 1) / workers * size * 8 / line
    print(json.dumps({
        "what": "gloo all_reduce", "world": workers, "bytes": size, "median_seconds": round(median, 4),
        "bound_seconds": round(bound, 4), "share_of_bound": round(bound / median, 3)}), flush=True)
distributed.destroy_process_group()
