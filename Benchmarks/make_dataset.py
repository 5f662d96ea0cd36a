"""Writes a synthetic dataset for throughput runs.

    pip install numpy pillow
    python3 Benchmarks/make_dataset.py OUT.tar [--samples 256] [--size 224] [--labels 1000]

OUT.tar: a WebDataset shard of JPEG images of size x size pixels (smooth random colours with some grain, quality 90, about
20 kB each at 224), seed 0; with --labels K also classes from 0 to K - 1. OUT.npz instead: float32 images as an array
`input` [N, 3, size, size], standard normal, not compressed (600 kB each at 224), and `labels`.
"""

import argparse
import io
import tarfile
import zipfile

import numpy as np
from PIL import Image


def write_tar(path, samples, size, labels):
    random = np.random.default_rng(0)
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as archive:
        def add(name, data):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))

        for index in range(samples):
            coarse = Image.fromarray(random.integers(0, 256, (size // 8, size // 8, 3), np.uint8))
            smooth = np.asarray(coarse.resize((size, size), Image.Resampling.BICUBIC), np.float32)
            grain = random.normal(0, 6, (size, size, 1)).astype(np.float32)
            image = io.BytesIO()
            Image.fromarray(np.clip(smooth + grain, 0, 255).astype(np.uint8)).save(image, "JPEG", quality=90)
            add(f"{index:06}.jpg", image.getvalue())
            if labels:
                add(f"{index:06}.cls", str(index % labels).encode())


def write_npz(path, samples, size, labels):
    def header(shape, kind):
        text = io.BytesIO()
        np.lib.format.write_array_header_1_0(text, {"descr": kind, "fortran_order": False, "shape": shape})
        return text.getvalue()

    shape = (3, size, size)
    random = np.random.default_rng(0)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        with archive.open("input.npy", "w", force_zip64=True) as file:
            file.write(header((samples, *shape), "<f4"))
            for _ in range(samples):
                file.write(random.standard_normal(shape, np.float32).tobytes())
        if labels:
            with archive.open("labels.npy", "w") as file:
                file.write(header((samples,), "<i8"))
                file.write((np.arange(samples) % labels).astype("<i8").tobytes())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out")
    parser.add_argument("--samples", type=int, default=256)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--labels", type=int, default=0, metavar="K", help="number of classes; 0 for no labels")
    arguments = parser.parse_args()
    write = write_npz if arguments.out.endswith(".npz") else write_tar
    write(arguments.out, arguments.samples, arguments.size, arguments.labels)


if __name__ == "__main__":
    main()
