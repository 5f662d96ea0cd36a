"""Compares the encodings of a finished job with those that aimet-onnx 2.42 computes from the same model and samples.

    pip install aimet-onnx==2.42.0 onnxruntime torch pillow pyyaml
    quantsim run JOB.yml --output FOLDER
    python3 Benchmarks/compare_encodings.py JOB.yml FOLDER

FOLDER holds the job's `model.onnx` (batch norms folded) and `model.encodings` (or `model.1.0.0.encodings`), version 1.0.0.
AIMET's simulation is built on that model.onnx with the job's configuration, scheme and bitwidths and observes the job's
calibration samples in the job's batches. What is printed and what is demanded:

- scheme tf: min, max and delta of every tensor, ours and AIMET's; the largest relative difference is at most --tolerance.
- scheme tf_enhanced: also the mean squared quantization error of both encodings over all the samples, in exact
  arithmetic on the values that ONNX Runtime computes; ours is at most --ratio times AIMET's for every activation. Tensors
  that share one quantizer (AIMET ties, for instance, the inputs of a Concat) are judged together.

Values are those of the model with weights quantized, as both tools observe them: with our weight encodings unless
--weights says otherwise. Tensors with an encoding on one side only are listed. Exit code 1 when a bound is broken.
"""

import argparse
import collections
import json
import logging
import os
import pathlib
import sys
import tempfile
import warnings

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper

import samples

warnings.filterwarnings("ignore")
SLICE_BYTES = 400 << 20  # of intermediate values kept at a time
SCHEMES = {"tf": "min_max", "tf_enhanced": "post_training_tf_enhanced"}


class Encoding:
    """One tensor's encoding: real = (q + offset) * delta, q in [0, steps]; arrays of one element, or one per channel."""

    def __init__(self, entry):
        self.delta = np.array(entry["scale"], np.float64)
        self.offset = np.array(entry["offset"], np.float64)
        self.steps = 2 ** entry["bw"] - 1
        self.minimum, self.maximum = self.delta * self.offset, self.delta * (self.offset + self.steps)

    @property
    def key(self):
        return (self.steps, self.delta.tobytes(), self.offset.tobytes())

    def difference(self, other):
        """The largest relative difference of min, max and delta."""
        if len(self.delta) != len(other.delta):
            return np.inf
        worst = 0.0
        for a, b in ((self.minimum, other.minimum), (self.maximum, other.maximum), (self.delta, other.delta)):
            scale = np.maximum(np.abs(a), np.abs(b))
            worst = max(worst, float(np.max(np.abs(a - b) / np.where(scale > 0, scale, 1))))
        return worst

    def simulated(self, x, axis=None):
        """x quantized and dequantized, float32; `axis` is the channel axis when there is one encoding a channel."""
        delta, offset = self.delta.astype(np.float32), self.offset.astype(np.float32)
        if len(delta) > 1:
            shape = [-1 if i == axis else 1 for i in range(x.ndim)]
            delta, offset = delta.reshape(shape), offset.reshape(shape)
        else:
            delta, offset = delta[0], offset[0]
        q = np.divide(x, delta, dtype=np.float32)
        np.rint(q, out=q)
        np.clip(q, offset, offset + np.float32(self.steps), out=q)
        q *= delta
        return q

    def squared_error(self, x, axis=None):
        """The sum of squared quantization errors of a float32 array."""
        error = self.simulated(x, axis)
        error -= x
        return float(np.dot(error.ravel(), error.ravel()) if error.size < 1 << 16 else
                    sum(float(np.dot(part, part)) for part in np.array_split(error.ravel(), error.size >> 15)))


def read_encodings(path):
    """Encodings by tensor name, activations and parameters, of a file of version 1.0.0."""
    document = json.loads(path.read_text())
    if document.get("version") != "1.0.0":
        sys.exit(f"{path}: version {document.get('version')} where 1.0.0 is expected")
    return tuple(
        {e["name"]: Encoding(e) for e in document[section] if e["dtype"] == "INT"}
        for section in ("activation_encodings", "param_encodings"))


def aimet_encodings(job, model):
    """What aimet-onnx computes for the job: activations, parameters, and the quantizer behind each activation."""
    logging.disable(logging.CRITICAL)
    import aimet_onnx
    from aimet_onnx.common.defs import QuantScheme, qtype
    from aimet_onnx.quantsim import QuantizationSimModel

    quantization = job.quantization
    configuration = {"default": "default_config", "default_per_channel": "default_config_per_channel"}.get(
        quantization["config"], quantization["config"])
    packaged = pathlib.Path(aimet_onnx.__file__).parent / "common/quantsim_config" / f"{configuration}.json"
    path = packaged if packaged.exists() else job.resolve(configuration)
    simulation = QuantizationSimModel(
        model, quant_scheme=getattr(QuantScheme, SCHEMES[quantization["scheme"]]), config_file=str(path),
        param_type=qtype.from_string(f"int{quantization['parameter_bitwidth']}"),
        activation_type=qtype.from_string(f"int{quantization['activation_bitwidth']}"))
    simulation.compute_encodings(job.calibration_batches())
    with tempfile.TemporaryDirectory() as folder:
        simulation.export(folder, "aimet", export_model=False, encoding_version="1.0.0")
        activations, parameters = read_encodings(pathlib.Path(folder, "aimet.encodings"))
    quantizers = simulation.qc_quantize_op_dict
    return activations, parameters, {n: id(quantizers[n]) for n in activations}


def channel_axis(model, name):
    """The channel axis of a per-channel parameter."""
    for node in model.graph.node:
        if name in node.input:
            if node.op_type == "ConvTranspose":
                return 1
            if node.op_type == "MatMul":
                return -1
            if node.op_type == "Gemm":
                return 0 if any(a.name == "transB" and a.i for a in node.attribute) else 1
    return 0


def constants(model):
    values = {i.name: numpy_helper.to_array(i) for i in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            values[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
    return values


def with_quantized_weights(model, parameters):
    """A copy of the model whose parameters have gone through their encodings."""
    model = onnx.ModelProto.FromString(model.SerializeToString())
    for initializer in model.graph.initializer:
        if initializer.name in parameters:
            axis = channel_axis(model, initializer.name)
            value = numpy_helper.to_array(initializer)
            value = parameters[initializer.name].simulated(value, axis % max(1, value.ndim))
            initializer.CopyFrom(numpy_helper.from_array(value, initializer.name))
    return model


def session_exposing(model, names):
    """A session in which the named values are graph outputs."""
    have = {o.name for o in model.graph.output} | {i.name for i in model.graph.input}
    model.graph.output.extend(onnx.ValueInfoProto(name=n) for n in names if n not in have)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = int(os.environ.get("OMP_NUM_THREADS", len(os.sched_getaffinity(0))))
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def activation_values(job, model, names):
    """Pairs of a name and its values, float32, for the named activations: constants once, all else batch by batch over the
    calibration samples. A slice of them is computed at a time."""
    fixed = constants(model)
    for name in [n for n in names if n in fixed]:
        yield name, np.ascontiguousarray(fixed[name], np.float32)
    inputs = [i.name for i in model.graph.input if i.name not in fixed]
    names = [n for n in names if n not in fixed]
    computed = [n for n in names if n not in inputs]
    session = session_exposing(model, computed)
    first = next(iter(job.calibration_batches()))
    slices, used = [[]], 0
    for name in computed:
        size = session.run([name], first)[0].nbytes
        if slices[-1] and used + size > SLICE_BYTES:
            slices.append([])
            used = 0
        slices[-1].append(name)
        used += size
    for position, part in enumerate(slices):
        for feeds in job.calibration_batches():
            if position == 0:
                for name in [n for n in inputs if n in names]:
                    yield name, np.ascontiguousarray(feeds[name], np.float32)
            for name, value in zip(part, session.run(part, feeds)) if part else ():
                yield name, np.ascontiguousarray(value, np.float32)


def squared_errors(job, model, ours, theirs):
    """For each activation: [elements, our sum of squared errors, AIMET's] over all calibration samples."""
    sums = collections.defaultdict(lambda: np.zeros(3))
    for name, x in activation_values(job, model, [n for n in ours if n in theirs]):
        mine = ours[name].squared_error(x)
        other = mine if ours[name].key == theirs[name].key else theirs[name].squared_error(x)
        sums[name] += (x.size, mine, other)
    return sums


def row(name, mine, other, extra=""):
    def numbers(e):
        channels = f" x{len(e.delta)}" if len(e.delta) > 1 else ""
        return f"{e.minimum.min():12.6g} {e.maximum.max():12.6g} {e.delta.max():12.6g}{channels}"

    print(f"{name:60.60} {numbers(mine)} {numbers(other)} {mine.difference(other):9.2e}{extra}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("job", type=pathlib.Path)
    parser.add_argument("folder", type=pathlib.Path, help="the job's output folder")
    parser.add_argument("--weights", choices=["ours", "aimet", "float"], default="ours",
                        help="the weights of the model whose values the error is measured on")
    parser.add_argument("--tolerance", type=float, default=1e-4, help="largest relative difference with scheme tf")
    parser.add_argument("--ratio", type=float, default=1.02, help="largest ratio of errors with scheme tf_enhanced")
    arguments = parser.parse_args()
    job = samples.Job(arguments.job)
    scheme = job.quantization["scheme"]
    if scheme not in SCHEMES:
        sys.exit(f"{arguments.job}: AIMET 2.42 has no scheme {scheme}")
    model = onnx.load(arguments.folder / "model.onnx")
    versioned = arguments.folder / "model.1.0.0.encodings"
    activations, parameters = read_encodings(
        versioned if versioned.exists() else arguments.folder / "model.encodings")
    their_activations, their_parameters, quantizers = aimet_encodings(job, onnx.load(arguments.folder / "model.onnx"))

    enhanced, broken = scheme == "tf_enhanced", []
    errors = {}
    if enhanced:
        weights = {"ours": parameters, "aimet": their_parameters, "float": {}}[arguments.weights]
        errors = squared_errors(job, with_quantized_weights(model, weights), activations, their_activations)
    print(f"{'tensor':60} {'min':>12} {'max':>12} {'delta':>12} {'AIMET min':>12} {'max':>12} {'delta':>12} {'rel.diff':>9}"
          + (f" {'MSE':>11} {'AIMET MSE':>11} {'ratio':>7}" if enhanced else ""))

    worst = 0.0
    groups = collections.defaultdict(lambda: np.zeros(3))  # by AIMET's quantizer
    fixed = constants(model)
    for kind, mine, other in (("activation", activations, their_activations),
                              ("parameter", parameters, their_parameters)):
        for name in [n for n in mine if n in other]:
            difference, extra = mine[name].difference(other[name]), ""
            worst = max(worst, difference)
            if not enhanced and difference > arguments.tolerance:
                broken.append(f"{name}: relative difference {difference:.2e}")
            if enhanced:
                if kind == "activation":
                    count, a, b = errors[name]
                    groups[quantizers[name]] += errors[name]
                else:
                    value = fixed[name].astype(np.float32)
                    axis = channel_axis(model, name) % max(1, value.ndim)
                    count, a, b = value.size, mine[name].squared_error(value, axis), other[name].squared_error(value, axis)
                extra = f" {a / count:11.4e} {b / count:11.4e} {ratio(a, b):7.4f}"
            row(name, mine[name], other[name], extra)
        for title, names in (("ours", mine.keys() - other.keys()), ("AIMET", other.keys() - mine.keys())):
            for name in sorted(names):
                print(f"{kind} with an encoding in {title} only: {name}")

    print(f"\n{len(activations)} activations and {len(parameters)} parameters; AIMET: "
          f"{len(their_activations)} and {len(their_parameters)}")
    print(f"largest relative difference of min, max, delta: {worst:.2e}")
    if enhanced:
        ratios = [ratio(a, b) for _, a, b in groups.values()]
        print(f"activation MSE over AIMET's, by quantizer: largest {max(ratios):.4f}, mean {np.mean(ratios):.4f}, "
              f"smallest {min(ratios):.4f}")
        for key, (count, a, b) in groups.items():
            if ratio(a, b) > arguments.ratio:
                tied = [n for n in activations if quantizers.get(n) == key]
                broken.append(f"{', '.join(tied)}: MSE ratio {ratio(a, b):.4f}")
    if not (activations.keys() & their_activations.keys()):
        broken.append("no activation is common to both")
    for line in broken:
        print(f"BROKEN {line}")
    return 1 if broken else 0


def ratio(a, b):
    """a / b, and 1 where both are no more than rounding."""
    return 1.0 if a == b else a / b if b > 0 else np.inf


if __name__ == "__main__":
    sys.exit(main())
