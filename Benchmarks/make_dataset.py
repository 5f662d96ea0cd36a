"""Writes a synthetic dataset for throughput runs: float32 images as .npz.

    pip install numpy
    python3 Benchmarks/make_dataset.py OUT.npz [--samples 64] [--size 224] [--input input] [--labels 1000]

Array `input` [N, 3, size, size], standard normal, seed 0; with --labels K also `labels` [N], 0 to K - 1. Not compressed:
64 samples at 224 take 38.5 MB. The memory needed is that of one sample.
"""

import argparse
import io
import zipfile

import numpy as np


def header(shape, kind):
    text = io.BytesIO()
    np.lib.format.write_array_header_1_0(text, {"descr": kind, "fortran_order": False, "shape": shape})
    return text.getvalue()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out")
    parser.add_argument("--samples", type=int, default=64)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--input", default="input", help="name of the network's input")
    parser.add_argument("--labels", type=int, default=0, metavar="K", help="number of classes; 0 for no labels")
    arguments = parser.parse_args()
    shape = (3, arguments.size, arguments.size)
    random = np.random.default_rng(0)
    with zipfile.ZipFile(arguments.out, "w", zipfile.ZIP_STORED) as archive:
        with archive.open(f"{arguments.input}.npy", "w", force_zip64=True) as file:
            file.write(header((arguments.samples, *shape), "<f4"))
            for _ in range(arguments.samples):
                file.write(random.standard_normal(shape, np.float32).tobytes())
        if arguments.labels:
            with archive.open("labels.npy", "w") as file:
                file.write(header((arguments.samples,), "<i8"))
                file.write(random.integers(0, arguments.labels, arguments.samples).astype("<i8").tobytes())


if __name__ == "__main__":
    main()
