"""Compares FP32 outputs of `quantsim infer` with ONNX Runtime's on seeded random inputs.

    pip install numpy onnx onnxruntime torch torchvision
    python3 Benchmarks/compare_outputs.py --quantsim .build/release/quantsim MODEL [MODEL ...]

MODEL is a path to an ONNX file, a name of torchvision.models (exported with random weights, seed 0), a name light_* of
the networks that the onnx package carries (`light_resnet50`; their constant weights are replaced, see below), or `light` for
all of those. Batches are of 2 samples where the model's batch is dynamic. For each output the largest absolute difference is
divided by the range of ONNX Runtime's output; exit code 1 when one exceeds --bound or a run fails.

The light_* files hold all weights as ConstantOfShape nodes of one value, with which every channel computes the same. By
default each such weight becomes seeded random numbers of a trained network's size instead; --as-they-are keeps the files.
"""

import argparse
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, numpy_helper


def light_models():
    return sorted(pathlib.Path(onnx.__file__).parent.glob("backend/test/data/light/light_*.onnx"))


def randomized(model):
    """The model with every constant-filled weight replaced by random numbers: He's initialization for kernels, positive
    variances near 1 for batch norms. What goes into a last Softmax, which may saturate, becomes an output too."""
    random = np.random.default_rng(0)
    shapes = {i.name: numpy_helper.to_array(i) for i in model.graph.initializer}
    roles = {}
    for node in model.graph.node:
        for position, name in enumerate(node.input):
            roles.setdefault(name, (node.op_type, position))
    kept, filled = [], []
    for node in model.graph.node:
        if node.op_type != "ConstantOfShape" or node.input[0] not in shapes:
            kept.append(node)
            continue
        name, shape = node.output[0], tuple(shapes[node.input[0]])
        kind, position = roles.get(name, ("", 0))
        if kind == "BatchNormalization":
            value = random.uniform(0.8, 1.2, shape) if position in (1, 4) else random.normal(0, 0.1, shape)
        elif position == 1 and len(shape) > 1:
            value = random.normal(0, np.sqrt(2 / np.prod(shape[1:])), shape)
        else:
            value = random.normal(0, 0.1, shape)
        filled.append(numpy_helper.from_array(value.astype(np.float32), name))
    del model.graph.node[:]
    model.graph.node.extend(kept)
    model.graph.initializer.extend(filled)
    model.ir_version = max(model.ir_version, 4)  # initializers need not be graph inputs
    outputs = {o.name for o in model.graph.output}
    for node in model.graph.node:
        if node.op_type == "Softmax" and node.output[0] in outputs:
            model.graph.output.append(onnx.helper.make_tensor_value_info(node.input[0], TensorProto.FLOAT, None))
    return model


def prepared(name, folder, as_they_are):
    """The path of the ONNX file for a name on the command line."""
    path = pathlib.Path(name)
    if name.startswith("light_") and not path.exists():
        path = next((p for p in light_models() if p.stem in (name, name.replace("light_", "light_bvlc_"))), None)
        if path is None:
            sys.exit(f"{name}: the onnx package has {', '.join(p.stem for p in light_models())}")
        if as_they_are:
            return path
        onnx.save(randomized(onnx.load(path)), folder / path.name)
        return folder / path.name
    if path.exists():
        return path
    import export_torchvision

    export_torchvision.export(name, folder / f"{name}.onnx")
    return folder / f"{name}.onnx"


def random_inputs(session):
    """Standard normal arrays by input name; an unknown extent is 2 on the first axis."""
    random = np.random.default_rng(0)
    arrays = {}
    for value in session.get_inputs():
        if value.type != "tensor(float)":
            sys.exit(f"input {value.name} is {value.type}; only tensor(float) is supported")
        unknown = [axis for axis, extent in enumerate(value.shape) if not isinstance(extent, int)]
        if unknown not in ([], [0]):
            sys.exit(f"input {value.name} has unknown extents on axes {unknown}")
        arrays[value.name] = random.standard_normal([2 if axis in unknown else e for axis, e in enumerate(value.shape)])
    return {n: a.astype(np.float32) for n, a in arrays.items()}


def compare(path, quantsim, folder):
    """Prints a line per output; the largest difference over the range, or infinity when a run fails."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    inputs = random_inputs(session)
    np.savez(folder / "in.npz", **inputs)
    out = folder / "out.npz"
    out.unlink(missing_ok=True)
    command = [quantsim, "infer", str(path), "--input", str(folder / "in.npz"), "--output", str(out)]
    run = subprocess.run(command, capture_output=True, text=True)
    if run.returncode:
        print(f"{path.stem:32} exit code {run.returncode}: {(run.stderr or run.stdout).strip()[-500:]}")
        return np.inf
    worst, ours = 0.0, np.load(out)
    for value, expected in zip(session.get_outputs(), session.run(None, inputs)):
        if value.name not in ours or ours[value.name].shape != expected.shape:
            found = ours[value.name].shape if value.name in ours else "nothing"
            print(f"{path.stem:32} {value.name}: {found} where {expected.shape} is expected")
            worst = np.inf
            continue
        extent = float(expected.max() - expected.min()) or 1.0
        difference = float(np.abs(ours[value.name] - expected).max())
        # A NaN must not pass for a small difference.
        share = difference / extent if np.isfinite(difference) else np.inf
        worst = max(worst, share)
        print(f"{path.stem:32} {value.name:24} range {extent:12.5g}  largest difference {difference:10.3e}  over range {share:9.2e}",
              flush=True)
    return worst


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="+", metavar="MODEL")
    parser.add_argument("--quantsim", default=".build/release/quantsim", help="path of the executable")
    parser.add_argument("--bound", type=float, default=1e-3)
    parser.add_argument("--as-they-are", action="store_true", help="keep the constant weights of light_* models")
    arguments = parser.parse_args()
    names = [n for m in arguments.models for n in ([p.stem for p in light_models()] if m == "light" else [m])]
    failed = []
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        for name in names:
            if compare(prepared(name, folder, arguments.as_they_are), arguments.quantsim, folder) > arguments.bound:
                failed.append(name)
    print(f"{len(names) - len(failed)} of {len(names)} models within {arguments.bound:g}"
          + (f"; beyond: {', '.join(failed)}" if failed else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
