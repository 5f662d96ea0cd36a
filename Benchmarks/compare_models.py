"""Takes models of any kind all the way: FP32 against ONNX Runtime, calibration with two workers, and the exported
model_qdq.onnx in ONNX Runtime against `quantsim infer --encodings`.

    pip install numpy onnx onnxruntime
    python3 Benchmarks/compare_models.py MODEL.onnx [MODEL.onnx ...] [--quantsim .build/release/quantsim]

The samples of NAME.onnx are arrays by the names of its inputs, the first axis samples, in NAME.npz beside it, or in STEM.cal.npz
where STEM is the name up to its first dot. One line for each model:

    NAME  fp32 2.1e-07  quantized 24.0 dB  qdq 61.2 dB  as written 61.2 dB

The first figure is the largest difference of any output in units of its largest magnitude; the others are signal to noise ratios
of the worst output: of infer's quantized against FP32, and of the runtime's against infer's, with all graph optimizations and
with none. Outputs of integers and booleans count as noise where they differ. onnx.checker checks the exported model in full. A model below --least dB is traced: every
quantized value is computed by the runtime from infer's own values before it, so that no node answers for another's error, and
the nodes that explain the least are named, with the share of elements that lie a step aside. Exit code 1 when a step fails, a
model is beyond --bound, or one below --least has no node that explains it.
"""

import argparse
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime
from onnx import helper

import compare_qdq
import samples
import trace_qdq

onnxruntime.set_default_logger_severity(4)


class Failed(Exception):
    """What stopped a model, in a sentence."""


def sample_arrays(path):
    for file in (path.with_suffix(".npz"), path.parent / (path.name.split(".")[0] + ".cal.npz")):
        if file.exists():
            with np.load(file) as arrays:
                return {n: arrays[n] for n in arrays.files}
    raise Failed("no samples beside it")


def fed(model, arrays):
    """The arrays by the names of the model's inputs, what a first forward pass takes of them, and how many samples that is. A model
    whose inputs have an axis less than the arrays takes one sample as it is."""
    constants = {i.name for i in model.graph.initializer}
    inputs = [i for i in model.graph.input if i.name not in constants]
    unnamed = [a for n, a in arrays.items() if n not in {i.name for i in inputs}]
    arrays = {i.name: arrays[i.name] if i.name in arrays else unnamed.pop(0) for i in inputs}
    ranks = {i.name: len(i.type.tensor_type.shape.dim) for i in inputs}
    if any(a.ndim > ranks[n] for n, a in arrays.items()):
        return arrays, {n: np.asarray(a[0]) if a.ndim > ranks[n] else a[:1] for n, a in arrays.items()}, 1
    fixed = [i.type.tensor_type.shape.dim[0].dim_value for i in inputs if ranks[i.name]]
    batch = max(max(fixed, default=0), 0) or 2
    return arrays, {n: a[:batch] for n, a in arrays.items()}, batch


def run(arguments, *command):
    done = subprocess.run([arguments.quantsim, *map(str, command)], capture_output=True, text=True, timeout=arguments.timeout)
    if done.returncode:
        raise Failed(f"{command[0]} ({done.returncode}): {(done.stderr or done.stdout).strip().splitlines()[0]}")
    return done


def infer(arguments, model, inputs, scratch, encodings=None):
    np.savez(scratch / "in.npz", **inputs)
    extra = ["--encodings", encodings] if encodings else []
    run(arguments, "infer", model, "--input", scratch / "in.npz", "--output", scratch / "out.npz", *extra)
    with np.load(scratch / "out.npz") as arrays:
        return {n: arrays[n] for n in arrays.files}


def session(model, level):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = level
    source = str(model) if isinstance(model, pathlib.Path) else model.SerializeToString()
    return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])


def runtime(model, level, inputs):
    ran = session(model, level)
    names = [o.name for o in ran.get_outputs()]
    return dict(zip(names, ran.run(names, {i.name: inputs[i.name] for i in ran.get_inputs()})))


def difference(ours, theirs):
    """The largest, in units of the largest magnitude; infinite where shapes differ."""
    if ours is None or ours.shape != theirs.shape:
        return np.inf
    if not theirs.size:
        return 0.0
    if theirs.dtype.kind != "f":
        return float(np.mean(ours != theirs))
    equal = (ours == theirs) | (np.isnan(ours) & np.isnan(theirs))
    ours, theirs = (np.where(equal, 0, a.astype(np.float64)) for a in (ours, theirs))
    return float(np.abs(ours - theirs).max() / max(1e-6, np.abs(theirs).max()))


def ratio(ours, theirs):
    """The signal to noise ratio in dB of one against the other."""
    if ours is None or ours.shape != theirs.shape:
        return -np.inf
    if theirs.dtype.kind not in "fc":
        noise, signal = np.count_nonzero(ours != theirs), theirs.size
    else:
        ours, theirs = ours.astype(np.float64), theirs.astype(np.float64)
        finite = np.isfinite(theirs)
        if not np.array_equal(ours[~finite], theirs[~finite], equal_nan=True):
            return -np.inf
        noise, signal = np.sum((ours - theirs)[finite] ** 2), np.sum(theirs[finite] ** 2)
    return np.inf if noise == 0 else 10 * np.log10(signal / noise) if signal else -np.inf


def trace(arguments, folder, inputs, scratch):
    """(dB, share of elements aside, name, operators) of every quantized value, each from infer's values before it."""
    plain, model = (onnx.load(folder / name) for name in ("model.onnx", "model_qdq.onnx"))
    values = list(compare_qdq.quantized_values(model))
    producers = {o: n for n in model.graph.node for o in n.output}
    types = {i.name: i.data_type for i in model.graph.initializer}
    source = {v: producers[producers[v].input[0]].input[0] for _, v, _ in values}
    exposed = compare_qdq.with_outputs(plain, [n for n, _, _ in values if n not in inputs])
    shown = {n: n for n, _, _ in values}
    for name in inputs:
        if name in shown:
            shown[name] = name + "_shown"
            exposed.graph.node.append(helper.make_node("Identity", [name], [shown[name]]))
    exposed = compare_qdq.with_outputs(exposed, shown.values())
    path = scratch / "exposed.onnx"
    onnx.save(exposed, path)
    ours = infer(arguments, path, inputs, scratch, folder / "model.encodings") | inputs
    at = {v: ours[shown[n]] for n, v, _ in values}
    found = []
    for name, value, scale in values:
        end = source[value]
        wanted, met = trace_qdq.reached(producers, value, set(at) - {value} | set(inputs))
        nodes = [n for n in model.graph.node if id(n) in wanted]
        used = {i for n in nodes for i in n.input}
        feeds = {n: at[n] if n in at else inputs[n] for n in met}
        graph = helper.make_graph(
            nodes, "segment",
            [helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(a.dtype), a.shape) for n, a in feeds.items()],
            [helper.make_tensor_value_info(value, onnx.TensorProto.FLOAT, None)],
            [i for i in model.graph.initializer if i.name in used])
        cut = helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)
        try:
            for level in compare_qdq.LEVELS.values():
                theirs = runtime(cut, level, feeds)[value]
                # Optimized, a Clip without a minimum comes out of some parts as a scalar.
                if theirs.shape == at[value].shape:
                    break
        except Exception as error:  # what the runtime cannot run of a part says nothing of the whole
            found.append((np.inf, 0, name, f"{end} not traced: {str(error).splitlines()[0][:80]}"))
            continue
        aside = np.mean(np.abs(theirs.astype(np.float64) - at[value]) > scale / 2)
        operators = [n.op_type for n in nodes if n.op_type not in ("QuantizeLinear", "DequantizeLinear")]
        found.append((ratio(at[value], theirs), 100 * aside, name, "+".join(operators)))
    return found


def judge(arguments, path, scratch):
    model = onnx.load(path, load_external_data=False)
    arrays, first, batch = fed(model, sample_arrays(path))
    everything = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    plain = runtime(path, everything, first)
    ours = infer(arguments, path, first, scratch)
    fp32 = max(difference(ours.get(n), a) for n, a in plain.items())
    print(f"{path.stem}  fp32 {fp32:.1e}", end="", flush=True)

    np.savez(scratch / "samples.npz", **arrays)
    job = scratch / "job.yml"
    job.write_text(
        f"model: {path.resolve()}\n"
        f"dataset: {{calibration: {{path: samples.npz}}, batch: {batch}}}\n"
        "quantization: {config: default_per_channel}\n"
        "post_training: [fold_batch_norms]\n"
        "export: {onnx_qdq: true}\n")
    folder = arguments.keep / path.stem if arguments.keep else scratch / "out"
    run(arguments, "run", job, "--workers", 2, "--output", folder, "--force")
    qdq = folder / "model_qdq.onnx"
    onnx.checker.check_model(str(qdq), full_check=True)
    ours = infer(arguments, folder / "model.onnx", first, scratch, folder / "model.encodings")
    quantized = min(ratio(ours.get(n), a) for n, a in plain.items())
    ratios = []
    for level in compare_qdq.LEVELS.values():
        theirs = runtime(qdq, level, first)
        ratios.append(min(ratio(ours.get(n), a) for n, a in theirs.items()))
    print(f"  quantized {quantized:.1f} dB  qdq {ratios[0]:.1f} dB  as written {ratios[1]:.1f} dB", flush=True)
    explained = True
    if ratios[0] < arguments.least:
        found = sorted(trace(arguments, folder, first, scratch), key=lambda f: f[0])
        explained = bool(found) and found[0][0] < np.inf
        for decibels, aside, name, operators in found[:3]:
            print(f"    {decibels:6.1f} dB  {aside:8.4f} % a step aside  {name[-60:]}  {operators[-60:]}")
    return fp32 <= arguments.bound and explained


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="+", type=pathlib.Path)
    parser.add_argument("--quantsim", default=".build/release/quantsim", help="path of the executable")
    parser.add_argument("--bound", type=float, default=1e-3, help="of the FP32 outputs, in units of their range")
    parser.add_argument("--least", type=float, default=35, help="dB between the exported model and infer")
    parser.add_argument("--timeout", type=float, default=900, help="seconds for one command")
    parser.add_argument("--keep", type=pathlib.Path, help="folder for the outputs of the jobs")
    arguments = parser.parse_args()
    good = 0
    for path in arguments.models:
        with tempfile.TemporaryDirectory() as scratch:
            try:
                good += judge(arguments, path, pathlib.Path(scratch))
            except Failed as failure:
                print(f"{path.stem}  {failure}", flush=True)
            except Exception as error:  # the peers raise types of their own
                print(f"{path.stem}  {type(error).__name__}: {str(error).splitlines()[0][:200]}", flush=True)
    print(f"{good} of {len(arguments.models)} models pass")
    return 0 if good == len(arguments.models) else 1


if __name__ == "__main__":
    sys.exit(main())
