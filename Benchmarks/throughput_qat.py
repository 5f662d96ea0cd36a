"""Samples per second of QuantSim's quantization-aware training beside aimet-torch's, measured in turn on one machine, so that
their ratios mean something.

    python3 Benchmarks/throughput_qat.py mobilenet_v2 [--quantsim .build/release/quantsim] [--rounds 3] [--steps 5]

The model is torchvision's with random weights (speed does not depend on them) at 224x224, batch norms folded, activations and
weights of 8 bits, learned ranges, SGD with momentum. QuantSim trains with one worker of one lane and with as many one-lane
workers as there are cores, from a tar of JPEG images: reading, sending and decoding them, the exchange of gradients and the
optimizer are part of its time. aimet-torch uses all cores and gets one batch of 16 that lies in memory. The first step, in
which the network is compiled, is left out on both sides.

Each row is the median over the rounds; ratios are of medians.
"""

import argparse
import json
import os
import pathlib
import socket
import statistics
import subprocess
import sys
import tempfile

JOB = """\
model: model.onnx
dataset:
  calibration: {{path: images.tar, samples: 32}}
  training: {{path: images.tar}}
  image: {{size: [224, 224], mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225]}}
  batch: 16
quantization: {{config: default, scheme: tf_enhanced, activation_bitwidth: 8, parameter_bitwidth: 8}}
post_training: [fold_batch_norms]
training:
  steps: {steps}
  optimizer: {{name: sgd, learning_rate: 1.0e-4, momentum: 0.9}}
  global_batch: {global_batch}
  slots: {slots}
export: {{encodings: ["1.0.0"]}}
"""

REFERENCE = """\
import json, logging, os, sys, time, warnings
warnings.filterwarnings("ignore"); logging.disable(logging.CRITICAL)
import torch, torchvision
from aimet_torch.batch_norm_fold import fold_all_batch_norms
from aimet_torch.common.defs import QuantScheme
from aimet_torch.quantsim import QuantizationSimModel
name, batches, batch = sys.argv[1], int(sys.argv[2]), 16
torch.set_num_threads(len(os.sched_getaffinity(0))); torch.manual_seed(0)
model = getattr(torchvision.models, name)(weights=None).eval()
fold_all_batch_norms(model, (1, 3, 224, 224))
x, labels = torch.randn(batch, 3, 224, 224), torch.arange(batch)
sim = QuantizationSimModel(model, dummy_input=x[:1], quant_scheme=QuantScheme.training_range_learning_with_tf_enhanced_init,
                           default_param_bw=8, default_output_bw=8)
def calibrate(m):
    with torch.no_grad(): m(x[:4])
sim.compute_encodings(calibrate)
optimizer = torch.optim.SGD(sim.model.parameters(), lr=1e-4, momentum=0.9)
def step():
    optimizer.zero_grad()
    torch.nn.functional.cross_entropy(sim.model(x), labels).backward()
    optimizer.step()
step(); start = time.perf_counter()
for _ in range(batches): step()
print(json.dumps(batch * batches / (time.perf_counter() - start)))
"""


def quantsim(program, folder, workers, samples):
    """`samples` are those of a step. Samples per second, bytes of a worker's peak, digest of the weights."""
    output = folder / f"out-{workers}"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        endpoint = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    coordinator = subprocess.Popen([program, "coordinator", folder / "job.yml", "--bind", endpoint, "--output", output],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    others = [subprocess.Popen([program, "worker", "--connect", endpoint, "--lanes", "1"], stderr=subprocess.DEVNULL)
              for _ in range(workers)]
    if coordinator.wait() != 0:
        sys.exit(f"quantsim coordinator ended with exit code {coordinator.returncode}")
    peak = max(os.wait4(worker.pid, 0)[2].ru_maxrss * 1024 for worker in others)
    report = json.loads((output / "report.json").read_text())
    stage = next(stage for stage in report["stages"] if stage["kind"] == "training")
    rate = samples * (report["training"]["steps"] - 1) / (stage["seconds"] - stage["first_step_seconds"])
    return rate, peak, report["digest"]["weights"]


def reference(model, batches):
    run = subprocess.run([sys.executable, "-c", REFERENCE, model, str(batches)], check=True, capture_output=True)
    return json.loads(run.stdout.splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", help="name of a torchvision network")
    parser.add_argument("--quantsim", default=".build/release/quantsim")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=5, help="optimizer steps of a run of QuantSim")
    parser.add_argument("--global-batch", type=int, default=256)
    parser.add_argument("--slots", type=int, default=32, help="of global_batch / slots samples each")
    parser.add_argument("--batches", type=int, default=4, help="steps of aimet-torch; 0 leaves it out")
    arguments = parser.parse_args()
    here = pathlib.Path(__file__).parent
    cores = len(os.sched_getaffinity(0))
    rows = {}
    digests = set()
    peak = 0

    def note(row, value):
        rows.setdefault(row, []).append(value)
        print(f"  {row}: {value:.2f}", file=sys.stderr, flush=True)

    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        subprocess.run([sys.executable, here / "export_torchvision.py", arguments.model, folder / "model.onnx"],
                       check=True)
        subprocess.run([sys.executable, here / "make_dataset.py", folder / "images.tar", "--samples", "256",
                        "--labels", "1000"], check=True)
        (folder / "job.yml").write_text(JOB.format(
            steps=arguments.steps, global_batch=arguments.global_batch, slots=arguments.slots))
        for _ in range(arguments.rounds):
            for workers in sorted({1, cores}):
                rate, memory, digest = quantsim(arguments.quantsim, folder, workers, arguments.global_batch)
                note(f"quantsim QAT, {workers} one-lane worker(s)", rate)
                digests.add(digest)
                peak = max(peak, memory)
            if arguments.batches > 0:
                note("aimet-torch QAT", reference(arguments.model, arguments.batches))

    medians = {row: statistics.median(values) for row, values in rows.items()}
    print(f"{arguments.model}, {cores} cores, samples per second (median of {arguments.rounds}):")
    for row, value in medians.items():
        print(f"  {row:35} {value:8.2f}  ({min(rows[row]):.2f} to {max(rows[row]):.2f})")
    ours = medians[f"quantsim QAT, {cores} one-lane worker(s)"]
    single = medians["quantsim QAT, 1 one-lane worker(s)"]
    if arguments.batches > 0:
        print(f"  quantsim / aimet-torch: {ours / medians['aimet-torch QAT']:.2f}")
    print(f"  {cores} one-lane workers / one: {ours / single:.2f}")
    print(f"  peak memory of a worker: {peak / 1e6:.0f} MB")
    if len(digests) != 1:
        sys.exit(f"the weights differ between runs: {sorted(digests)}")


if __name__ == "__main__":
    main()
