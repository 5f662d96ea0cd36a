"""Compares a job's model_qdq.onnx in ONNX Runtime with `quantsim infer --encodings` on the same images.

    pip install numpy onnx onnxruntime pillow pyyaml
    quantsim run JOB.yml --output FOLDER            # with export: {onnx_qdq: true}
    python3 Benchmarks/compare_qdq.py JOB.yml FOLDER [--samples 1000] [--quantsim .build/release/quantsim]

Images are the first of the job's evaluation source (calibration, where it has none). ONNX Runtime runs the model twice: with all
graph optimizations, which put integer kernels in place of quantize and dequantize nodes, and with none, where the nodes are
computed one by one in float. For the first graph output it prints the share of samples with the same greatest element, the
share of elements that differ by no more than one quantization step of that output (--agreement and --elements are the bounds), and
the largest difference in steps. With --layers also the share of differing elements of every quantized value, in the order
of the graph: where the first difference arises (with so many outputs the runtime may take other kernels; trace_qdq.py judges
each by itself). Exit code 1 when a bound is broken or onnx.checker finds the model wrong.
"""

import argparse
import collections
import pathlib
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper

import samples

LEVELS = {
    "optimized": onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL,
    "as written": onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL,
}

UNCHANGED = ("Flatten", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze")


def first_samples(job, count):
    """The first samples of the job's evaluation source, by input name."""
    if "evaluation" in job.dataset:
        job.dataset["calibration"] = dict(job.dataset["evaluation"])
    job.dataset["calibration"]["samples"] = count
    batches = list(job.calibration_batches())
    return {name: np.concatenate([b[name] for b in batches]) for name in batches[0]}


def session(model, level, dump=None):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.graph_optimization_level = level
    if dump:
        options.optimized_model_filepath = str(dump)
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def run(session, inputs, batch=50):
    """All outputs by name, computed in batches."""
    names = [o.name for o in session.get_outputs()]
    count = len(next(iter(inputs.values())))
    parts = [
        session.run(names, {n: a[start:start + batch] for n, a in inputs.items()}) for start in range(0, count, batch)]
    return {name: np.concatenate([p[i] for p in parts]) for i, name in enumerate(names)}


def with_outputs(model, names):
    """The model with more values as outputs."""
    model = onnx.ModelProto.FromString(model.SerializeToString())
    have = {o.name for o in model.graph.output}
    model.graph.output.extend(
        onnx.helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, None) for n in names if n not in have)
    return model


def quantized_values(model):
    """(tensor in the plain model, its dequantized value here, scale) for every pair, in order."""
    constants = {i.name: numpy_helper.to_array(i) for i in model.graph.initializer}
    quantized = {n.output[0]: n for n in model.graph.node if n.op_type == "QuantizeLinear"}
    outputs = {o.name for o in model.graph.output}
    for node in model.graph.node:
        if node.op_type == "DequantizeLinear" and node.input[0] in quantized:
            name = node.output[0] if node.output[0] in outputs else node.input[1].removesuffix("_scale")
            yield name, node.output[0], float(constants[node.input[1]])


def infer(arguments, model, inputs, scratch):
    """Outputs of `quantsim infer` with the job's encodings."""
    path = scratch / "model.onnx"
    onnx.save(model, path)
    files = (arguments.folder / "model.1.0.0.encodings", arguments.folder / "model.encodings")
    outputs, error = samples.infer(arguments.quantsim, path, next(p for p in files if p.exists()), inputs, scratch)
    return sys.exit(error) if outputs is None else outputs


def origin(output, model, values):
    """The value, of `values`, whose elements a graph output has; another tensor where there is none."""
    producers = {o: n for n in model.graph.node for o in n.output}
    while output not in values and output in producers and producers[output].op_type in UNCHANGED:
        output = producers[output].input[0]
    return output


def step_of(output, model, values):
    """The quantization step of a graph output: its own, or that of the value whose elements it has."""
    steps = {value: scale for _, value, scale in values}
    return steps.get(origin(output, model, steps))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("job")
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--quantsim", default=".build/release/quantsim", help="path of the executable")
    parser.add_argument("--agreement", type=float, default=99.8, help="least share of equal top-1, percent")
    parser.add_argument("--elements", type=float, default=99.0, help="least share of elements within a step, percent")
    parser.add_argument("--layers", action="store_true", help="also compare every quantized value")
    arguments = parser.parse_args()

    inputs = first_samples(samples.Job(arguments.job), arguments.samples)
    plain, model = (onnx.load(arguments.folder / name) for name in ("model.onnx", "model_qdq.onnx"))
    onnx.checker.check_model(model, full_check=True)
    types = collections.Counter(n.op_type for n in model.graph.node)
    print(f"opset {model.opset_import[0].version}, IR {model.ir_version}: {types['QuantizeLinear']} QuantizeLinear, "
          f"{types['DequantizeLinear']} DequantizeLinear; onnx.checker: valid")
    values = list(quantized_values(model))
    output = plain.graph.output[0].name
    step = step_of(output, model, values)
    if step is None:
        sys.exit(f"{output} has no encoding")
    broken = False
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        exposed = [name for name, _, _ in values if name not in inputs] if arguments.layers else []
        ours = infer(arguments, with_outputs(plain, exposed), inputs, scratch)
        for title, level in LEVELS.items():
            ran = session(model, level, scratch / "optimized.onnx")
            theirs = run(ran, inputs)[output]
            kinds = collections.Counter(n.op_type for n in onnx.load(scratch / "optimized.onnx").graph.node)
            difference = np.abs(theirs.astype(np.float64) - ours[output]) / step
            agreement = 100 * np.mean(theirs.argmax(1) == ours[output].argmax(1))
            within = 100 * np.mean(difference < 1.001)
            print(f"{title}: top-1 agreement {agreement:.2f} %, elements within a step {within:.2f} %, "
                  f"equal {100 * np.mean(difference < 0.001):.2f} %, largest difference {difference.max():.0f} steps")
            print("    " + ", ".join(f"{n} {kind}" for kind, n in kinds.most_common()))
            broken |= agreement < arguments.agreement or within < arguments.elements
            if arguments.layers:
                layers = run(session(with_outputs(model, [v for n, v, _ in values if n not in inputs]), level), inputs)
                for name, value, scale in values:
                    if name in ours:
                        steps = np.rint(np.abs(layers[value].astype(np.float64) - ours[name]) / scale)
                        print(f"    {name:48} differing {100 * np.mean(steps > 0):8.4f} %, by at most {steps.max():.0f} steps")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
