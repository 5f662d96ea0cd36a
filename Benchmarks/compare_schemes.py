"""Compares schemes by the signal to quantization noise ratio (SQNR) that their encodings give activations.

    pip install onnx onnxruntime pillow pyyaml numpy
    for scheme in tf tf_enhanced percentile mse entropy; do    # in JOB.yml: activation_scheme: $scheme
        quantsim run JOB.yml --output OUTPUTS/$scheme
    done
    python3 Benchmarks/compare_schemes.py JOB.yml OUTPUTS/tf OUTPUTS/tf_enhanced ...

Each folder is the output of the same job with another `activation_scheme`, and is called by its name; the first is what
the others are compared with. Parameters must be encoded alike. SQNR is 10 log10 of the sum of squares over the sum of
squared quantization errors of all the values of a tensor over the job's calibration samples, as ONNX Runtime computes
them from the model with its parameters quantized. Tensors are activations that are computed, not constants. Printed, as
a table: the mean over tensors, the mean, least and greatest difference from the first folder, and the accuracy of the
quantized model where the job evaluates. With --tensors also a line per tensor.
"""

import argparse
import json
import pathlib
import sys

import numpy as np
import onnx

import samples
from compare_encodings import activation_values, constants, read_encodings, with_quantized_weights


def encodings(folder):
    versioned = folder / "model.1.0.0.encodings"
    return read_encodings(versioned if versioned.exists() else folder / "model.encodings")


def accuracy(folder):
    path = folder / "report.json"
    value = json.loads(path.read_text())["accuracy"]["quantized"] if path.exists() else None
    return "" if value is None else f"{value:.2f}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("job", type=pathlib.Path)
    parser.add_argument("folders", type=pathlib.Path, nargs="+", help="output folders, one per scheme")
    parser.add_argument("--tensors", action="store_true", help="also a line per tensor")
    arguments = parser.parse_args()
    job = samples.Job(arguments.job)
    read = [encodings(folder) for folder in arguments.folders]
    activations, parameters = [a for a, _ in read], read[0][1]
    for folder, (_, other) in zip(arguments.folders, read):
        if {n: e.key for n, e in other.items()} != {n: e.key for n, e in parameters.items()}:
            sys.exit(f"{folder}: other encodings of parameters than in {arguments.folders[0]}")

    model = onnx.load(arguments.folders[0] / "model.onnx")
    fixed = constants(model)
    names = [n for n in activations[0] if n not in fixed]
    signal = dict.fromkeys(names, 0.0)
    noise = {n: np.zeros(len(read)) for n in names}
    for name, x in activation_values(job, with_quantized_weights(model, parameters), names):
        signal[name] += float(np.sum(np.square(x, dtype=np.float64)))
        noise[name] += [a[name].squared_error(x) for a in activations]
    ratios = np.array([10 * np.log10(signal[n] / noise[n]) for n in names])

    titles = [folder.name for folder in arguments.folders]
    if arguments.tensors:
        print(f"{'tensor':60} " + " ".join(f"{t:>12.12}" for t in titles))
        for name, row in zip(names, ratios):
            print(f"{name:60.60} " + " ".join(f"{v:12.2f}" for v in row))
        print()
    print(f"{len(names)} activations; SQNR in dB\n")
    print(f"| scheme | mean | over {titles[0]}: mean | worst tensor | best tensor | top-1 % |\n|---|---|---|---|---|---|")
    for index, (title, folder) in enumerate(zip(titles, arguments.folders)):
        gain = ratios[:, index] - ratios[:, 0]
        gains = f"{gain.mean():+.2f} | {gain.min():+.2f} | {gain.max():+.2f}" if index else " | | "
        print(f"| {title} | {ratios[:, index].mean():.2f} | {gains} | {accuracy(folder)} |")


if __name__ == "__main__":
    main()
