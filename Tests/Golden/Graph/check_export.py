"""check_export.py ORIGINAL.onnx EXPORTED.onnx: fails unless the exported model passes onnx.checker, has the original's
metadata, inputs and outputs, and gives ONNX Runtime's outputs for random input within 1e-4 of their range.

Needs onnx, onnxruntime and numpy."""
import sys

import numpy as np
import onnx
import onnxruntime

original, exported = (onnx.load(path) for path in sys.argv[1:3])
onnx.checker.check_model(sys.argv[2])
for field in ["ir_version", "producer_name", "producer_version", "domain", "model_version", "doc_string"]:
    assert getattr(original, field) == getattr(exported, field), field
assert list(original.metadata_props) == list(exported.metadata_props)
assert list(original.opset_import) == list(exported.opset_import)
assert list(original.graph.output) == list(exported.graph.output)


def inputs(model):
    constants = {i.name for i in model.graph.initializer}
    return [i for i in model.graph.input if i.name not in constants]


assert inputs(original) == inputs(exported)
rng = np.random.default_rng(0)
shapes = {i.name: [d.dim_value or 2 for d in i.type.tensor_type.shape.dim] for i in inputs(original)}
feeds = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
results = [onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(None, feeds) for path in sys.argv[1:3]]
for output, left, right in zip(original.graph.output, *results):
    difference = np.abs(left - right).max() / max(np.ptp(left), 1e-30)
    print(output.name, left.shape, "relative difference", difference)
    assert difference <= 1e-4
