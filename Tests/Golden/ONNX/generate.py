"""Writes small.onnx, tensors.onnx, external.onnx and external.data.

small.onnx:    Conv and Relu with one inline weight; the model that tests cut short.
tensors.onnx:  pairs of initializers NAME.typed and NAME.raw that hold the same numbers in the two ways.
external.onnx: initializers a and b in external.data, and inline copies a.inline, b.inline.
Needs onnx and numpy.
"""
import os

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

HERE = os.path.dirname(os.path.abspath(__file__))
rng = np.random.default_rng(0)


def save(name, initializers, nodes=None, checked=True):
    nodes = nodes or [helper.make_node("Identity", ["x"], ["y"])]
    info = helper.make_tensor_value_info
    graph = helper.make_graph(nodes, "graph", [info("x", TensorProto.FLOAT, ["batch", 1, 4, 4])],
                              [info("y", TensorProto.FLOAT, ["batch", None, None, None])], initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8, producer_name="golden")
    if checked:
        onnx.checker.check_model(model)
    onnx.save(model, os.path.join(HERE, name))


weight = rng.normal(size=(2, 1, 3, 3)).astype(np.float32)
save("small.onnx", [numpy_helper.from_array(weight, "w")],
     [helper.make_node("Conv", ["x", "w"], ["c"], name="conv", pads=[1, 1, 1, 1]), helper.make_node("Relu", ["c"], ["y"], name="relu")])

values = {
    "FLOAT": [1.5, -2.25, 3e38], "DOUBLE": [1.5, -2.25, 1e300], "INT8": [-128, 0, 127], "UINT8": [0, 1, 255], "INT16": [-32768, 0, 32767],
    "UINT16": [0, 1, 65535], "INT32": [-2**31, 0, 2**31 - 1], "INT64": [-2**63, 0, 2**63 - 1], "UINT32": [0, 1, 2**32 - 1],
    "UINT64": [0, 1, 2**64 - 1], "BOOL": [True, False, True], "FLOAT16": [1.5, -2.25, 65504],
}
pairs = []
for name, numbers in values.items():
    kind = getattr(TensorProto, name)
    array = np.array(numbers, helper.tensor_dtype_to_np_dtype(kind))
    pairs.append(helper.make_tensor(f"{name}.typed", kind, [1, 3], array.tolist() if name != "BOOL" else [1, 0, 1]))
    pairs.append(helper.make_tensor(f"{name}.raw", kind, [1, 3], array.tobytes(), raw=True))
save("tensors.onnx", pairs)

arrays = {"a": rng.normal(size=(3, 5)).astype(np.float32), "b": np.arange(7, dtype=np.int64)}
external, data = [], b"\0" * 3  # an offset that is not aligned
for name, array in arrays.items():
    tensor = TensorProto(name=name, dims=array.shape, data_type=helper.np_dtype_to_tensor_dtype(array.dtype), data_location=TensorProto.EXTERNAL)
    for key, value in [("location", "external.data"), ("offset", len(data)), ("length", array.nbytes)]:
        tensor.external_data.add(key=key, value=str(value))
    data += array.tobytes()
    external += [tensor, numpy_helper.from_array(array, f"{name}.inline")]
save("external.onnx", external, checked=False)
with open(os.path.join(HERE, "external.data"), "wb") as file:
    file.write(data)
