"""Writes some of ONNX's own node tests: for every operator two of them, spread over its tests by name, which are small.

NAME.onnx, and NAME.npz with its inputs as `in.VALUE` and its outputs as `out.VALUE`. Left out: sequences, optional values, strings,
element types that NumPy lacks, random numbers, operators of training alone, image decoding. Needs onnx and numpy.
"""
import collections
import os
import warnings

import numpy as np
import onnx
from onnx import numpy_helper
from onnx.backend.test.case.node import collect_testcases

warnings.filterwarnings("ignore")
HERE = os.path.dirname(os.path.abspath(__file__))
TYPES = set("float32 float64 float16 int8 int16 int32 int64 uint8 uint16 uint32 uint64 bool".split())
LEFT_OUT = {"Bernoulli", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Multinomial", "ImageDecoder",
            "StringNormalizer"}
PER_OPERATOR = 2
BYTES = 90_000


def arrays(values, infos, prefix):
    result = {}
    for value, info in zip(values, infos):
        if isinstance(value, onnx.TensorProto):
            value = numpy_helper.to_array(value)
        if not (isinstance(value, (np.ndarray, np.generic)) or np.isscalar(value)):
            return None
        array = np.asarray(value)
        if array.dtype.name not in TYPES or info.type.WhichOneof("value") != "tensor_type":
            return None
        result[prefix + info.name] = array
    return result


groups = collections.defaultdict(list)
for case in sorted(collect_testcases(None), key=lambda case: case.name):
    model = case.model
    domains = {i.domain for i in model.opset_import}
    operators = [node.op_type for node in model.graph.node]
    if not case.data_sets or not domains <= {"", "ai.onnx"} or model.functions or LEFT_OUT & set(operators):
        continue
    inputs = arrays(case.data_sets[0][0], model.graph.input, "in.")
    outputs = arrays(case.data_sets[0][1], model.graph.output, "out.")
    if inputs is None or outputs is None or "training" in case.name or "dropout" in case.name and "mask" in case.name:
        continue
    size = sum(a.nbytes for a in [*inputs.values(), *outputs.values()]) + model.ByteSize()
    opset = next(i.version for i in model.opset_import)
    if size > BYTES or opset < 7:
        continue
    # Expanded tests are of other operators, which have their own.
    if "_expanded" in case.name or len(set(operators)) != 1:
        continue
    groups[operators[0]].append((size > 4_000, case.name, model, {**inputs, **outputs}))
for operator, cases in sorted(groups.items()):
    # The large ones only where there are no others.
    small = [case for case in cases if not case[0]] or cases[:1]
    places = sorted({len(small) * k // PER_OPERATOR for k in range(PER_OPERATOR)})
    for _, name, model, values in (small[place] for place in places):
        onnx.save(model, os.path.join(HERE, name + ".onnx"))
        np.savez_compressed(os.path.join(HERE, name + ".npz"), **values)
print(f"{len(groups)} operators")
