"""A job file's calibration samples in Python, read and preprocessed as QuantSim does: for comparisons with other tools."""

import glob
import pathlib
import subprocess
import tarfile

import numpy as np
import yaml

IMAGES = (".jpg", ".jpeg", ".png")


class Job:
    """The parts of a job file that calibration needs."""

    def __init__(self, path):
        self.folder = pathlib.Path(path).resolve().parent
        document = yaml.safe_load(pathlib.Path(path).read_text())
        self.model = self.resolve(document["model"])
        self.dataset = document["dataset"]
        self.batch = self.dataset.get("batch", 32)
        quantization = document.get("quantization") or {}
        self.quantization = {
            "config": "default", "scheme": "tf_enhanced", "activation_bitwidth": 8, "parameter_bitwidth": 8} | quantization

    def resolve(self, path):
        return self.folder / path

    def calibration_batches(self):
        """Dictionaries of arrays by input name, `batch` samples each; the last may have fewer."""
        source = self.dataset["calibration"]
        files = sorted(glob.glob(str(self.resolve(source["path"]))))
        if not files:
            raise SystemExit(f"{source['path']}: no such file")
        limit = source.get("samples")
        if files[0].endswith(".npz"):
            yield from self._batches_of_arrays(files, limit)
        else:
            yield from self._batches_of_images(files, limit)

    def _batches_of_arrays(self, files, limit):
        arrays = [np.load(f) for f in files]
        names = [n for n in arrays[0].files if n != "labels"]
        joined = {n: np.concatenate([a[n] for a in arrays])[:limit] for n in names}
        for start in range(0, len(joined[names[0]]), self.batch):
            yield {n: v[start:start + self.batch].astype(np.float32) for n, v in joined.items()}

    def _batches_of_images(self, files, limit):
        batch, count = [], 0
        for image in self._images(files):
            batch.append(image)
            count += 1
            if len(batch) == self.batch or count == limit:
                yield {self._input_name(): np.stack(batch)}
                batch = []
            if count == limit:
                return
        if batch:
            yield {self._input_name(): np.stack(batch)}

    def _images(self, files):
        from PIL import Image

        height, width = self.dataset["image"]["size"]
        mean = np.array(self.dataset["image"].get("mean", [0, 0, 0]), np.float32)[:, None, None]
        deviation = np.array(self.dataset["image"].get("std", [1, 1, 1]), np.float32)[:, None, None]
        for file in files:
            with tarfile.open(file) as archive:
                for member in archive:
                    if not member.name.lower().endswith(IMAGES):
                        continue
                    picture = Image.open(archive.extractfile(member)).convert("RGB")
                    if picture.size != (width, height):
                        raise SystemExit(f"{file}: {member.name} is {picture.size}: this comparison does not resize")
                    pixels = np.asarray(picture, np.float32).transpose(2, 0, 1) / np.float32(255)
                    yield (pixels - mean) / deviation

    def _input_name(self):
        import onnx

        graph = onnx.load(self.model, load_external_data=False).graph
        initializers = {i.name for i in graph.initializer}
        return next(i.name for i in graph.input if i.name not in initializers)


def infer(executable, model, encodings, inputs, folder):
    """Outputs of `quantsim infer` by name, and what it says where it fails; files go to `folder`."""
    np.savez(folder / "in.npz", **inputs)
    command = [executable, "infer", model, "--input", folder / "in.npz", "--output", folder / "out.npz",
               "--encodings", encodings]
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    if done.returncode:
        return None, done.stderr.strip()
    with np.load(folder / "out.npz") as arrays:
        return {n: arrays[n] for n in arrays.files}, ""
