"""Samples per second of QuantSim's calibration beside ONNX Runtime's FP32 inference and aimet-onnx's calibration, measured in
turn on one machine, so that their ratios mean something.

    python3 Benchmarks/throughput.py mobilenet_v2 [--quantsim .build/release/quantsim] [--rounds 3] [--samples 256]

The model is torchvision's with random weights (speed does not depend on them) at 224x224. QuantSim calibrates with one
worker of one lane and with as many one-lane workers as there are cores, from a tar of JPEG images: reading, sending and
decoding them is part of its time. ONNX Runtime uses all cores and gets batches of 16 that lie in memory. aimet-onnx gets the
same batches. Each row is the median over the rounds; ratios are of medians.
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
import time

JOB = """\
model: model.onnx
dataset:
  calibration: {{path: images.tar, samples: {samples}}}
  image: {{size: [224, 224], mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225]}}
  batch: 16
quantization: {{config: default, scheme: tf_enhanced, activation_bitwidth: 8, parameter_bitwidth: 8}}
post_training: [fold_batch_norms]
export: {{encodings: ["1.0.0"]}}
"""

REFERENCE = """\
import json, os, sys, time, logging, warnings
warnings.filterwarnings("ignore"); logging.disable(logging.CRITICAL)
import numpy, onnx, onnxruntime
kind, path, batches = sys.argv[1], sys.argv[2], int(sys.argv[3])
x = numpy.random.default_rng(0).standard_normal((16, 3, 224, 224)).astype("float32")
if kind == "onnxruntime":
    options = onnxruntime.SessionOptions(); options.intra_op_num_threads = len(os.sched_getaffinity(0))
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    run = lambda: session.run(None, {"input": x})
    run(); start = time.perf_counter()
    for _ in range(batches): run()
else:
    import aimet_onnx
    from aimet_onnx.common.defs import QuantScheme
    from aimet_onnx.quantsim import QuantizationSimModel
    sim = QuantizationSimModel(onnx.load(path), quant_scheme=QuantScheme.post_training_tf_enhanced,
                               param_type=aimet_onnx.int8, activation_type=aimet_onnx.int8)
    start = time.perf_counter()
    sim.compute_encodings([{"input": x}] * batches)
print(json.dumps(16 * batches / (time.perf_counter() - start)))
"""


def quantsim(program, folder, workers):
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
    memory = [os.wait4(worker.pid, 0)[2].ru_maxrss * 1024 for worker in others]
    report = json.loads((output / "report.json").read_text())
    peaks = {"coordinator": report["peak_memory_bytes"]["coordinator"], "worker": max(memory)}
    return report["throughput"]["calibration"], peaks, report["digest"]["encodings"]


def reference(kind, model, batches):
    run = subprocess.run([sys.executable, "-c", REFERENCE, kind, model, str(batches)], check=True, capture_output=True)
    return json.loads(run.stdout.splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", help="name of a torchvision network")
    parser.add_argument("--quantsim", default=".build/release/quantsim")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--samples", type=int, default=512)
    arguments = parser.parse_args()
    here = pathlib.Path(__file__).parent
    cores = len(os.sched_getaffinity(0))
    rows = {}
    digests = set()

    def note(row, value):
        rows.setdefault(row, []).append(value)
        print(f"  {row}: {value:.1f}", file=sys.stderr, flush=True)

    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        model = folder / "model.onnx"
        subprocess.run([sys.executable, here / "export_torchvision.py", arguments.model, model], check=True)
        subprocess.run([sys.executable, here / "make_dataset.py", folder / "images.tar", "--samples",
                        str(arguments.samples)], check=True)
        (folder / "job.yml").write_text(JOB.format(samples=arguments.samples))
        for _ in range(arguments.rounds):
            note("onnxruntime FP32 inference", reference("onnxruntime", model, 8))
            for workers in sorted({1, cores}):
                rate, memory, digest = quantsim(arguments.quantsim, folder, workers)
                note(f"quantsim calibration tf_enhanced, {workers} lane(s)", rate)
                digests.add(digest)
            note("aimet-onnx calibration tf_enhanced", reference("aimet", model, 2))

    medians = {row: statistics.median(values) for row, values in rows.items()}
    inference = medians["onnxruntime FP32 inference"]
    print(f"{arguments.model}, {cores} cores, samples per second (median of {arguments.rounds}):")
    for row, value in medians.items():
        spread = f"{min(rows[row]):.1f} to {max(rows[row]):.1f}"
        print(f"  {row:45} {value:8.1f}  {value / inference:6.2f} of ONNX Runtime  ({spread})")
    ours = medians[f"quantsim calibration tf_enhanced, {cores} lane(s)"]
    single = medians["quantsim calibration tf_enhanced, 1 lane(s)"]
    print(f"  quantsim / aimet-onnx: {ours / medians['aimet-onnx calibration tf_enhanced']:.1f}")
    print(f"  {cores} one-lane workers / one: {ours / single:.2f}")
    print(f"  peak memory: coordinator {memory['coordinator'] / 1e6:.0f} MB, worker {memory['worker'] / 1e6:.0f} MB")
    if len(digests) != 1:
        sys.exit(f"the encodings differ between runs: {sorted(digests)}")


if __name__ == "__main__":
    main()
