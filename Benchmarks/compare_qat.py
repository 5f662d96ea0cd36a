"""Quantization-aware training side by side with aimet-torch: the same weights, calibration samples, order of samples,
augmentation, optimizer and schedule, for several seeds; the table is Markdown.

    python compare_qat.py JOB.yml --quantsim .build/release/quantsim [--seeds 0 1 2] [--cache peer.json] [--ours-only]

Needs aimet-torch 2.42, PyTorch, numpy, onnx, Pillow and PyYAML. The network must be a CIFAR ResNet with shortcuts that
subsample and pad, exported to ONNX with its batch norms; other networks need a module of their own here. The peer takes
minutes an epoch; its results are kept in the cache file.
"""

import argparse
import io
import json
import math
import pathlib
import subprocess
import tarfile
import tempfile
import time

import numpy as np
import onnx
import onnx.numpy_helper
import torch
import torch.nn.functional as functional
import yaml
from PIL import Image

MASK = (1 << 64) - 1


def mix(z):
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & MASK
    z = (z ^ z >> 27) * 0x94D049BB133111EB & MASK
    return z ^ z >> 31


def draws(count, *parts):
    """QuantSim's random numbers: SplitMix64 over a key and a counter."""
    key = 0x243F6A8885A308D3
    for part in parts:
        key = mix((key + 0x9E3779B97F4A7C15 & MASK) ^ mix(part))
    return [mix(key + counter * 0x9E3779B97F4A7C15 & MASK) for counter in range(1, count + 1)]


def epoch_order(seed, epoch, count):
    """All samples in the order of an epoch: a Feistel network on a grid of cells, walked until below the count."""
    rows = math.isqrt(count - 1) + 1
    columns = -(-count // rows)
    keys = draws(12, 0x6F7264657200, seed, epoch, count)
    moves = [[draws(1, key, value)[0] * (rows if number % 2 == 0 else columns) >> 64
              for value in range(columns if number % 2 == 0 else rows)] for number, key in enumerate(keys)]
    order = []
    for position in range(count):
        while True:
            row, column = divmod(position, columns)
            for number in range(12):
                if number % 2 == 0:
                    row = (row + moves[number][column]) % rows
                else:
                    column = (column + moves[number][row]) % columns
            position = row * columns + column
            if position < count:
                break
        order.append(position)
    return order


def augmented(image, padding, flips, seed, epoch, sample):
    """A random crop with black padding, and every second image mirrored."""
    down, right, mirrored = draws(3, 0x6175676D656E, seed, epoch, sample)
    places = 2 * padding + 1
    down, right = (down * places >> 64), (right * places >> 64)
    height, width = image.shape[:2]
    padded = np.pad(image, ((padding, padding), (padding, padding), (0, 0)))
    crop = padded[down:down + height, right:right + width]
    return crop[:, ::-1] if flips and mirrored >> 63 else crop


class Images:
    """Images and labels of tar shards, in order."""

    def __init__(self, pattern, limit=None):
        self.images, self.labels = [], []
        for path in sorted(pathlib.Path(pattern).parent.glob(pathlib.Path(pattern).name)):
            with tarfile.open(path) as tar:
                for member in tar:
                    data = tar.extractfile(member).read()
                    if member.name.endswith(".jpg"):
                        self.images.append(np.asarray(Image.open(io.BytesIO(data)).convert("RGB")))
                    elif member.name.endswith(".cls"):
                        self.labels.append(int(data))
        if limit is not None:
            del self.images[limit:], self.labels[limit:]


class Job:
    def __init__(self, path):
        self.path = pathlib.Path(path).resolve()
        self.document = yaml.safe_load(self.path.read_text())
        self.dataset = self.document["dataset"]
        self.training = self.document["training"]
        self.model = self.path.parent / self.document["model"]

    def images(self, stage):
        source = self.dataset[stage]
        return Images(self.path.parent / source["path"], source.get("samples"))

    def tensor(self, images):
        image = self.dataset["image"]
        pixels = np.stack(images).astype(np.float32) / np.float32(255)
        pixels = (pixels - np.float32(image["mean"])) / np.float32(image["std"])
        return torch.from_numpy(np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)))


def peer_network(model):
    """The network as PyTorch modules with folded batch norms, and modules for all that is quantized."""
    from aimet_torch.nn.modules import custom

    graph = onnx.load(model).graph
    weights = {tensor.name: torch.tensor(onnx.numpy_helper.to_array(tensor)) for tensor in graph.initializer}

    def convolution(name, norm, stride):
        scale = weights[norm + ".weight"] / torch.sqrt(weights[norm + ".running_var"] + 1e-5)
        weight = weights[name + ".weight"] * scale[:, None, None, None]
        layer = torch.nn.Conv2d(weight.shape[1], weight.shape[0], 3, stride, 1)
        layer.weight.data = weight
        layer.bias.data = weights[norm + ".bias"] - weights[norm + ".running_mean"] * scale
        return layer

    class Block(torch.nn.Module):
        def __init__(self, name, stride):
            super().__init__()
            self.conv1 = convolution(name + ".conv1", name + ".bn1", stride)
            self.relu1 = torch.nn.ReLU()
            self.conv2 = convolution(name + ".conv2", name + ".bn2", 1)
            self.add = custom.Add()
            self.relu2 = torch.nn.ReLU()
            self.stride = stride

        def forward(self, x):
            shortcut = x
            if self.stride == 2:
                missing = (self.conv2.out_channels - x.shape[1]) // 2
                shortcut = functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, missing, missing))
            return self.relu2(self.add(self.conv2(self.relu1(self.conv1(x))), shortcut))

    class Network(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1 = convolution("conv1", "bn1", 1)
            self.relu = torch.nn.ReLU()
            names = sorted({name.rsplit(".", 2)[0] for name in weights if name.startswith("layer")})
            self.blocks = torch.nn.ModuleList(
                Block(name, 2 if name.endswith(".0") and not name.startswith("layer1") else 1) for name in names)
            self.pool = torch.nn.AvgPool2d(8)
            self.linear = torch.nn.Linear(*reversed(weights["linear.weight"].shape))
            self.linear.weight.data = weights["linear.weight"].clone()
            self.linear.bias.data = weights["linear.bias"].clone()

        def forward(self, x):
            x = self.relu(self.conv1(x))
            for block in self.blocks:
                x = block(x)
            return self.linear(torch.flatten(self.pool(x), 1))

    return Network().eval()


def accuracy(model, job, images):
    correct = 0
    with torch.no_grad():
        for start in range(0, len(images.images), 250):
            scores = model(job.tensor(images.images[start:start + 250]))
            correct += (scores.argmax(1).numpy() == np.array(images.labels[start:start + 250])).sum()
    return 100 * float(correct) / len(images.images)


def peer(job, seed, static_ranges):
    """aimet-torch's accuracies in percent: FP32, quantized, and after each epoch."""
    import logging

    import aimet_torch
    from aimet_torch.common.defs import QuantScheme
    from aimet_torch.quantsim import QuantizationSimModel

    logging.disable(logging.CRITICAL)
    torch.manual_seed(seed)
    quantization, training, batch = job.document["quantization"], job.training, job.dataset["batch"]
    calibration, trained, test = (job.images(stage) for stage in ("calibration", "training", "evaluation"))
    model = peer_network(job.model)
    result = {"fp32": accuracy(model, job, test), "epochs": []}
    config = next(pathlib.Path(aimet_torch.__file__).parent.rglob("default_config.json"))
    sim = QuantizationSimModel(
        model, dummy_input=job.tensor(calibration.images[:1]), quant_scheme=QuantScheme.post_training_tf_enhanced,
        default_param_bw=quantization["parameter_bitwidth"], default_output_bw=quantization["activation_bitwidth"],
        config_file=str(config))

    def calibrate(model):
        with torch.no_grad():
            for start in range(0, len(calibration.images), batch):
                model(job.tensor(calibration.images[start:start + batch]))

    sim.compute_encodings(calibrate)
    result["quantized"] = accuracy(sim.model, job, test)
    parameters = [p for name, p in sim.model.named_parameters() if not (static_ranges and "quantizers" in name)]
    result["trained_tensors"] = len(parameters)
    rate = training["optimizer"]["learning_rate"]
    optimizer = torch.optim.SGD(parameters, lr=rate, momentum=training["optimizer"]["momentum"])
    schedule, size = training["schedule"], training["global_batch"]
    augment = job.dataset["training"]["augment"]
    seconds = 0.0
    for epoch in range(training["epochs"]):
        for group in optimizer.param_groups:
            group["lr"] = rate / schedule["divide_by"] ** (epoch // schedule["every_epochs"])
        order = epoch_order(seed, epoch, len(trained.images))
        began = time.perf_counter()
        for start in range(0, len(order) - size + 1, size):
            indices = order[start:start + size]
            inputs = job.tensor([
                augmented(trained.images[i], augment["crop_padding"], augment["horizontal_flip"], seed, epoch, i)
                for i in indices])
            loss = functional.cross_entropy(sim.model(inputs), torch.tensor([trained.labels[i] for i in indices]))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        seconds += time.perf_counter() - began
        result["epochs"].append(accuracy(sim.model, job, test))
        print(f"aimet-torch, seed {seed}, epoch {epoch + 1}: {result['epochs'][-1]:.2f}", flush=True)
    result["trained"] = result["epochs"][-1]
    result["samples_per_second"] = training["epochs"] * (len(order) // size * size) / seconds
    return result


def ours(job, seed, program, workers):
    """QuantSim's accuracies in percent, by its own report."""
    with tempfile.TemporaryDirectory() as folder:
        document = dict(job.document, training=dict(job.training, seed=seed), model=str(job.model))
        document["dataset"] = {
            name: dict(value, path=str(job.path.parent / value["path"])) if isinstance(value, dict) and "path" in value
            else value for name, value in job.dataset.items()}
        copy = pathlib.Path(folder) / "job.yml"
        copy.write_text(yaml.safe_dump(document))
        output = pathlib.Path(folder) / "out"
        subprocess.run([program, "run", str(copy), "--workers", str(workers), "--output", str(output)], check=True,
                       capture_output=True)
        report = json.loads((output / "report.json").read_text())
    return dict(report["accuracy"], samples_per_second=report["throughput"]["training"])


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("job")
    arguments.add_argument("--quantsim", default=".build/release/quantsim")
    arguments.add_argument("--workers", type=int, default=1)
    arguments.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    arguments.add_argument("--cache", default="peer.json")
    arguments.add_argument("--peer-only", action="store_true")
    arguments.add_argument("--static-ranges", action="store_true", help="the peer's ranges are not trained")
    arguments = arguments.parse_args()
    job = Job(arguments.job)
    cache = pathlib.Path(arguments.cache)
    known = json.loads(cache.read_text()) if cache.exists() else {}
    for seed in arguments.seeds:
        key = f"{job.path.name} {seed}" + (" static" if arguments.static_ranges else "")
        if key not in known:
            known[key] = peer(job, seed, arguments.static_ranges)
            cache.write_text(json.dumps(known, indent=1))
    if arguments.peer_only:
        return
    print("| seed | | FP32 | quantized | trained | samples/s |\n|---|---|---|---|---|---|")
    differences = []
    for seed in arguments.seeds:
        key = f"{job.path.name} {seed}" + (" static" if arguments.static_ranges else "")
        own, other = ours(job, seed, arguments.quantsim, arguments.workers), known[key]
        differences.append(own["trained"] - other["trained"])
        for name, row in (("QuantSim", own), ("aimet-torch", other)):
            print(f"| {seed} | {name} | {row['fp32']:.2f} | {row['quantized']:.2f} | {row['trained']:.2f} | "
                  f"{row['samples_per_second']:.0f} |")
    print(f"\nQuantSim less aimet-torch, trained: {np.mean(differences):+.2f} on average, "
          f"from {min(differences):+.2f} to {max(differences):+.2f}")


main()
