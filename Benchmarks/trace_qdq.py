"""Judges every quantized value of `quantsim infer` and of ONNX Runtime running model_qdq.onnx by arithmetic in double precision.

    pip install numpy onnx onnxruntime pillow pyyaml
    quantsim run JOB.yml --output FOLDER            # with export: {onnx_qdq: true}
    python3 Benchmarks/trace_qdq.py JOB.yml FOLDER [--samples 200] [--quantsim .build/release/quantsim]

The nodes between two quantizers are a segment. Each is computed in float64 from the integers that infer has there, times their
scales, and from the integers of weights and biases, and rounded to the output grid, ties to even. The runtime, optimized and as
written, computes the segment from the same integers, cut out of the QDQ model. So all start from equal values in every segment,
and no error of one is counted in another. (Cut out, because with more outputs the runtime takes other kernels; the kernels of
all segments are printed beside those of the whole model.)

An element that is not the exact one is off by a number of steps. How far its exact value lies from the middle between grid
points next to the side's is the least error that explains it, in steps and in roundings: 2^-24 of the sum of the terms'
magnitudes, the most that float32 loses in one addition. A few roundings are the order of a sum; more is another computation
(--roundings is the bound). Segments with other functions than sums and products (Softmax, Div) have no such measure.

Last, all segments in double, each from the one before, against each side: the share of equal top-1 and of elements within a step.
Exit code 1 when an element is further off than the bound.
"""

import argparse
import collections
import dataclasses
import pathlib
import sys
import tempfile

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

import compare_qdq
import samples

RANGES = {
    TensorProto.UINT4: (0, 15), TensorProto.INT4: (-8, 7), TensorProto.UINT8: (0, 255), TensorProto.INT8: (-128, 127),
    TensorProto.UINT16: (0, 65535), TensorProto.INT16: (-32768, 32767)}

# Operators whose float32 error is bounded by the magnitudes of the terms they add; those of BOUNDED hand them on.
ADDITIVE = {"Add", "AveragePool", "Concat", "Conv", "Flatten", "Gather", "Gemm", "GlobalAveragePool", "MatMul", "MaxPool", "Mul",
            "Pad", "Reshape", "Shape", "Slice", "Squeeze", "Transpose", "Unsqueeze"}
BOUNDED = {"Clip", "Identity", "Relu"}

# Kernels that only order, convert or copy elements.
LAYOUT = {"Cast", "DequantizeLinear", "Flatten", "Identity", "QuantizeLinear", "ReorderInput", "ReorderOutput", "Reshape", "Shape",
          "Transpose"}

BATCH = 50


@dataclasses.dataclass
class Segment:
    """The nodes from dequantized values to the next quantizer."""

    name: str  # in the plain model
    value: str  # dequantized, in the QDQ model
    scale: float
    range: tuple  # of the integers less the zero point
    operators: list
    inputs: list  # dequantized values and graph inputs
    sources: list  # what goes into the quantizers of the inputs
    cut: onnx.ModelProto  # from the sources to the value, quantizers of both ends with it; its inputs have no shapes yet
    exact: ReferenceEvaluator
    magnitude: ReferenceEvaluator  # the same sums with all terms positive; None where that says nothing

    def compute(self, evaluator, feeds):
        """The value before it is rounded, in steps."""
        return evaluator.run(None, feeds)[0] / self.scale

    def round(self, steps):
        return np.clip(np.rint(steps), *self.range)


def real(array):
    return array.astype(np.float64) if array.dtype == np.float32 else array


def constants(model):
    """Initializers and dequantized constants, what is float in double precision and not rounded to float32 in between."""
    tensors = {i.name: i for i in model.graph.initializer}
    found = {name: real(numpy_helper.to_array(t)) for name, t in tensors.items()}
    for node in model.graph.node:
        if node.op_type == "DequantizeLinear" and node.input[0] in tensors:
            integers, scale, *zero = (found[n].astype(np.float64) for n in node.input)
            axis = next((a.i for a in node.attribute if a.name == "axis"), 1)
            shape = [-1 if i == axis % integers.ndim else 1 for i in range(integers.ndim)] if scale.ndim else []
            found[node.output[0]] = (integers - (zero[0].reshape(shape) if zero else 0)) * scale.reshape(shape)
    return found


def evaluator(model, nodes, inputs, output, values):
    used = {i for n in nodes for i in n.input if i in values}
    graph = helper.make_graph(
        nodes, "segment", [helper.make_tensor_value_info(n, TensorProto.DOUBLE, None) for n in inputs],
        [helper.make_tensor_value_info(output, TensorProto.DOUBLE, None)],
        [numpy_helper.from_array(np.asarray(values[n]), n) for n in sorted(used)])
    return ReferenceEvaluator(helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version))


def reached(producers, end, stops):
    """The ids of the nodes between `stops` and `end`, and those of `stops` that are met."""
    nodes, met, pending = set(), set(), [end]
    while pending:
        tensor = pending.pop()
        if tensor in stops:
            met.add(tensor)
        elif tensor in producers and id(producers[tensor]) not in nodes:
            nodes.add(id(producers[tensor]))
            pending.extend(producers[tensor].input)
    return nodes, met


def segments(model):
    """All segments in the order of the graph."""
    known = constants(model)
    types = {i.name: i.data_type for i in model.graph.initializer}
    producers = {o: n for n in model.graph.node for o in n.output}
    values = list(compare_qdq.quantized_values(model))
    source = {i.name: i.name for i in model.graph.input}
    source |= {value: producers[producers[value].input[0]].input[0] for _, value, _ in values}
    magnitudes = {n: np.abs(a) if a.dtype == np.float64 else a for n, a in known.items()}
    for name, value, scale in values:
        wanted, inputs = reached(producers, source[value], set(source) | set(known))
        inputs = sorted(inputs & set(source))
        nodes, output = [n for n in model.graph.node if id(n) in wanted], source[value]
        operators = [n.op_type for n in nodes]
        if not nodes:
            nodes, output = [helper.make_node("Identity", [output], ["copy"])], "copy"
        freed = [helper.make_node("Identity", n.input[:1], n.output) if n.op_type in BOUNDED else n for n in nodes]
        bounded = set(operators) <= ADDITIVE | BOUNDED

        sources = [source[i] for i in inputs]
        wanted, _ = reached(producers, value, set(sources))
        cut = [n for n in model.graph.node if id(n) in wanted]
        used = {i for n in cut for i in n.input}
        graph = helper.make_graph(
            cut, "segment", [], [helper.make_tensor_value_info(value, TensorProto.FLOAT, None)],
            [i for i in model.graph.initializer if i.name in used])

        zero_point = producers[producers[value].input[0]].input[2]
        ends = tuple(end - int(known[zero_point]) for end in RANGES[types[zero_point]])
        yield Segment(
            name, value, scale, ends, operators, inputs, sources,
            helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version),
            evaluator(model, nodes, inputs, output, known),
            evaluator(model, freed, inputs, output, magnitudes) if bounded else None)


@dataclasses.dataclass
class Finding:
    """What of one segment is off."""

    count: int = 0  # of elements
    off: int = 0
    unlike: int = 0  # not what infer computed
    steps: int = 0  # the most
    distance: float = 0.0  # from the middle between grid points, the most, in steps
    roundings: float = 0.0  # the same in roundings; 0 where the segment has no such measure

    @property
    def share(self):
        return 100 * self.off / self.count

    @property
    def unlike_share(self):
        return 100 * self.unlike / self.count

    def __str__(self):
        return f"{self.share:.4f} % {self.steps} {self.distance:7.1e} {self.roundings:4.2f} {self.unlike_share:8.4f} %"

    def add(self, segment, computed, ours, steps, feeds):
        """Takes `computed`, a side's values, against infer's and the exact ones in steps, computed from `feeds`."""
        integers = np.rint(computed.astype(np.float64) / segment.scale)
        off = np.abs(integers - segment.round(steps))
        self.count += off.size
        self.unlike += np.count_nonzero(np.abs(computed - ours) > 0.5 * segment.scale)
        if not off.any():
            return
        rows = np.unique(np.nonzero(off)[0])
        off, beyond = off[rows], (np.abs(steps - integers) - 0.5)[rows]
        wrong = off > 0
        self.off += np.count_nonzero(wrong)
        self.steps = max(self.steps, int(off.max()))
        self.distance = max(self.distance, float(beyond[wrong].max()))
        if segment.magnitude:
            terms = segment.compute(segment.magnitude, {n: np.abs(a[rows]) for n, a in feeds.items()})
            self.roundings = max(self.roundings, float((beyond[wrong] / terms[wrong]).max()) * 2**24)


class Runtime:
    """A segment in ONNX Runtime."""

    def __init__(self, segment, level, values, scratch):
        self.sources = segment.sources
        model = onnx.ModelProto.FromString(segment.cut.SerializeToString())
        model.graph.input.extend(
            helper.make_tensor_value_info(s, TensorProto.FLOAT, ["samples", *values[i].shape[1:]])
            for s, i in zip(segment.sources, segment.inputs))
        self.session, self.kernels = session(model, level, scratch)

    def compute(self, arrays):
        return self.session.run(None, dict(zip(self.sources, arrays)))[0]


def session(model, level, scratch):
    """A session and how many it has of each kernel that computes."""
    ran = compare_qdq.session(model, level, scratch / "optimized.onnx")
    kinds = collections.Counter(n.op_type for n in onnx.load(scratch / "optimized.onnx").graph.node)
    return ran, collections.Counter({k: n for k, n in kinds.items() if k not in LAYOUT})


def listed(kernels):
    return ", ".join(f"{n} {kind}" for kind, n in kernels.most_common())


def judge(segment, values, scales, scratch, kernels):
    """Findings of one segment by side, from infer's values; adds the runtime's kernels."""
    findings = {"infer": Finding()} | {title: Finding() for title in compare_qdq.LEVELS}
    runtimes = {title: Runtime(segment, level, values, scratch) for title, level in compare_qdq.LEVELS.items()}
    for title, runtime in runtimes.items():
        kernels[title] += runtime.kernels
    for start in range(0, len(values[segment.value]), BATCH):
        part = slice(start, start + BATCH)
        feeds = {n: exact_values(values[n][part], scales.get(n)) for n in segment.inputs}
        steps = segment.compute(segment.exact, feeds)
        ours = values[segment.value][part]
        findings["infer"].add(segment, ours, ours, steps, feeds)
        for title, runtime in runtimes.items():
            computed = runtime.compute([values[n][part] for n in segment.inputs])
            findings[title].add(segment, computed, ours, steps, feeds)
    return findings


def exact_values(array, scale):
    """Integers times scale in double; graph inputs, which have no scale, as they are."""
    array = array.astype(np.float64)
    return array if scale is None else np.rint(array / scale) * scale


def exact_network(segments, inputs, end):
    """The dequantized value `end`, each segment in double from the rounded values of those before."""
    parts = []
    for start in range(0, len(next(iter(inputs.values()))), BATCH):
        values = {n: a[start:start + BATCH].astype(np.float64) for n, a in inputs.items()}
        for segment in segments:
            steps = segment.compute(segment.exact, {n: values[n] for n in segment.inputs})
            values[segment.value] = segment.round(steps) * segment.scale
        parts.append(values[end])
    return np.concatenate(parts)


def infer(arguments, plain, all_segments, inputs, scratch):
    """Every dequantized value of `quantsim infer`, by its name in the QDQ model; an Identity shows quantized graph inputs."""
    model = compare_qdq.with_outputs(plain, [s.name for s in all_segments if s.name not in inputs])
    shown = {s.name: s.name if s.name not in inputs else s.name + "_shown" for s in all_segments}
    for name in (n for n in shown if n in inputs):
        model.graph.node.append(helper.make_node("Identity", [name], [shown[name]]))
    model = compare_qdq.with_outputs(model, shown.values())
    ours = compare_qdq.infer(arguments, model, inputs, scratch)
    return inputs | {s.value: ours[shown[s.name]] for s in all_segments}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("job")
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--samples", type=int, default=200)
    parser.add_argument("--quantsim", default=".build/release/quantsim", help="path of the executable")
    parser.add_argument("--roundings", type=float, default=8, help="largest error that counts as the order of a sum")
    arguments = parser.parse_args()

    inputs = compare_qdq.first_samples(samples.Job(arguments.job), arguments.samples)
    plain, model = (onnx.load(arguments.folder / name) for name in ("model.onnx", "model_qdq.onnx"))
    all_segments = list(segments(model))
    scales = {s.value: s.scale for s in all_segments}
    output = model.graph.output[0].name
    origin = compare_qdq.origin(output, model, scales)
    last = next((s for s in all_segments if s.value == origin), None) or sys.exit(f"{output} has no encoding")
    kernels = collections.defaultdict(collections.Counter)
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        values = infer(arguments, plain, all_segments, inputs, scratch)
        ends = {"infer": values[last.value]}
        whole = {}
        for title, level in compare_qdq.LEVELS.items():
            ran, whole[title] = session(model, level, scratch)
            ends[title] = compare_qdq.run(ran, inputs)[output].reshape(values[last.value].shape)
        print(f"{'share off, steps, steps and roundings from a tie; unlike infer':64}" + "".join(f"{title:38}" for title in ends))
        findings = []
        for segment in all_segments:
            findings.append(judge(segment, values, scales, scratch, kernels))
            columns = "".join(f"{findings[-1][title]!s:38}" for title in ends)
            print(f"{segment.name[-39:]:40}{'+'.join(segment.operators)[-23:]:24}{columns.rstrip()}", flush=True)
    for title in compare_qdq.LEVELS:
        print(f"kernels {title}: {listed(kernels[title])}; the whole model's: "
              f"{'the same' if whole[title] == kernels[title] else listed(whole[title])}")

    exact, broken = exact_network(all_segments, inputs, last.value), False
    for title, computed in ends.items():
        found = [f[title] for f in findings]
        share, worst = max((f.share, s.name) for s, f in zip(all_segments, found))
        far = [s.name for s, f in zip(all_segments, found) if f.roundings > arguments.roundings]
        broken |= bool(far)
        print(f"{title}: {sum(f.off > 0 for f in found)} of {len(found)} segments with elements off, "
              f"most in {worst}: {share:.4f} %; by at most {max(f.steps for f in found)} steps, "
              f"{max(f.distance for f in found):.1e} steps and {max(f.roundings for f in found):.2f} roundings from a tie; "
              f"beyond {arguments.roundings:g} roundings: {', '.join(far) or 'none'}")
        unlike, worst = max((f.unlike_share, s.name) for s, f in zip(all_segments, found))
        if title in whole:
            print(f"    unlike infer in {sum(f.unlike > 0 for f in found)} segments, most in {worst}: {unlike:.4f} %")
        difference = np.abs(computed - exact) / last.scale
        print(f"    against the network in double: top-1 {100 * np.mean(computed.argmax(1) == exact.argmax(1)):.2f} %, "
              f"within a step {100 * np.mean(difference < 1.001):.2f} %, equal {100 * np.mean(difference < 0.001):.2f} %")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
