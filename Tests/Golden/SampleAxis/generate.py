"""Writes small models that keep samples along the first axis apart, or mix them, with ONNX Runtime's outputs.

NAME.onnx, and NAME.npz with the inputs, the outputs of the whole batch, and `apart`: whether every sample alone, as a batch of
one, gives the same as within the batch, by ONNX Runtime. Needs onnx, onnxruntime and numpy."""
import os

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

HERE = os.path.dirname(os.path.abspath(__file__))
onnxruntime.set_default_logger_severity(4)
rng = np.random.default_rng(12)


def f(*shape):
    return rng.normal(size=shape).astype(np.float32)


def i(*values):
    return np.array(values, np.int64)


class Model:
    def __init__(self):
        self.nodes, self.constants = [], {}

    def op(self, kind, *inputs, out=None, **attributes):
        names = []
        for value in inputs:
            if isinstance(value, np.ndarray):
                name = f"c{len(self.constants)}"
                self.constants[name] = value
                names.append(name)
            else:
                names.append(value)
        outputs = [out or f"v{len(self.nodes)}"]
        self.nodes.append(helper.make_node(kind, names, outputs, name=f"n{len(self.nodes)}_{kind}", **attributes))
        return outputs[0]

    def write(self, name, sample, count, opset):
        graph = helper.make_graph(
            self.nodes, name, [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n"] + list(sample))],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
            [numpy_helper.from_array(value, key) for key, value in self.constants.items()])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
        path = os.path.join(HERE, name + ".onnx")
        onnx.save(model, path)
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        x = f(count, *sample)
        y = session.run(None, {"x": x})[0]
        apart = y.ndim > 0 and y.shape[0] == count
        for sample in range(count):
            try:
                own = session.run(None, {"x": x[sample:sample + 1]})[0]
                apart = bool(apart and own.shape == y[sample:sample + 1].shape and np.allclose(own, y[sample:sample + 1], atol=1e-5))
            except Exception:
                apart = False
        np.savez(os.path.join(HERE, name + ".npz"), x=x, y=y, apart=np.array([float(apart)], np.float32))
        print(f"{name:28} {'apart' if apart else 'mixed'} {y.shape}")


def build(name, sample, count=5, opset=17):
    def decorate(function):
        model = Model()
        function(model)
        model.write(name, sample, count, opset)
    return decorate


@build("softmax_first", [131])
def _(m): m.op("Softmax", "x", axis=0, out="y")


@build("softmax_flattened", [6, 4], opset=11)
def _(m): m.op("Softmax", "x", axis=0, out="y")


@build("softmax_last", [6, 4])
def _(m): m.op("Softmax", "x", axis=-1, out="y")


@build("minus_mean_first", [40])
def _(m): m.op("Sub", "x", m.op("ReduceMean", "x", axes=[0], keepdims=1), out="y")


@build("minus_mean_last", [40])
def _(m): m.op("Sub", "x", m.op("ReduceMean", "x", axes=[-1], keepdims=1), out="y")


@build("reversed", [9])
def _(m): m.op("Slice", "x", i(-1), i(-(2 ** 63)), i(0), i(-1), out="y")


@build("last_hundred", [3], count=150)
def _(m): m.op("Slice", "x", i(-100), i(2 ** 63 - 1), i(0), out="y")


@build("first_three", [9])
def _(m): m.op("Slice", "x", i(0), i(3), i(0), out="y")


@build("all_of_first", [9])
def _(m): m.op("Slice", "x", i(0), i(2 ** 63 - 1), i(0), out="y")


@build("times_batch", [9])
def _(m):
    extent = m.op("Cast", m.op("Gather", m.op("Shape", "x"), i(0), axis=0), to=TensorProto.FLOAT)
    m.op("Mul", "x", extent, out="y")


@build("gram", [9])
def _(m): m.op("MatMul", "x", m.op("Transpose", "x", perm=[1, 0]), out="y")


@build("gram_gemm", [9])
def _(m): m.op("Gemm", "x", "x", transB=1, out="y")


@build("gemm", [9])
def _(m): m.op("Gemm", "x", f(4, 9), f(4), transB=1, out="y")


@build("sequence_first", [1, 6])
def _(m):
    keys = m.op("Transpose", "x", perm=[1, 2, 0])
    scores = m.op("MatMul", m.op("Transpose", "x", perm=[1, 0, 2]), keys)
    mixed = m.op("MatMul", m.op("Softmax", scores, axis=-1), m.op("Transpose", "x", perm=[1, 0, 2]))
    m.op("Transpose", mixed, perm=[1, 0, 2], out="y")


@build("attention_merged_heads", [7, 12])
def _(m):
    def heads(weight):
        split = m.op("Reshape", m.op("MatMul", "x", weight), i(0, 7, 3, 4))
        return m.op("Reshape", m.op("Transpose", split, perm=[0, 2, 1, 3]), i(-1, 7, 4))
    q, k, v = heads(f(12, 12)), heads(f(12, 12)), heads(f(12, 12))
    scores = m.op("Softmax", m.op("MatMul", q, m.op("Transpose", k, perm=[0, 2, 1])), axis=-1)
    out = m.op("Reshape", m.op("MatMul", scores, v), i(-1, 3, 7, 4))
    m.op("Reshape", m.op("Transpose", out, perm=[0, 2, 1, 3]), i(0, 0, -1), out="y")


@build("windows_merged", [1, 8, 8], count=3)
def _(m):
    parts = m.op("Transpose", m.op("Reshape", "x", i(-1, 2, 4, 2, 4)), perm=[0, 1, 3, 2, 4])
    rows = m.op("Softmax", m.op("Reshape", parts, i(-1, 16)), axis=-1)
    back = m.op("Transpose", m.op("Reshape", rows, i(-1, 2, 2, 4, 4)), perm=[0, 1, 3, 2, 4])
    m.op("Reshape", back, i(-1, 1, 8, 8), out="y")


@build("reshaped_across", [6])
def _(m): m.op("Reshape", m.op("Relu", m.op("Reshape", "x", i(2, -1))), i(-1, 6), out="y")


@build("reshaped_mixing", [6], count=4)
def _(m): m.op("Reshape", m.op("Softmax", m.op("Reshape", "x", i(2, -1)), axis=1), i(-1, 6), out="y")


@build("norm_over_all", [6])
def _(m): m.op("Div", "x", m.op("ReduceL2", "x", keepdims=1), out="y")


@build("concat_first", [6])
def _(m): m.op("Concat", "x", m.op("Neg", "x"), axis=0, out="y")


@build("concat_last", [6])
def _(m): m.op("Concat", "x", m.op("Neg", "x"), axis=1, out="y")


@build("split_halves", [6], count=4)
def _(m):
    m.nodes.append(helper.make_node("Split", ["x"], ["a", "b"], name="halves", axis=0))
    m.op("Concat", "b", "a", axis=0, out="y")


@build("gather_first", [6])
def _(m): m.op("Gather", "x", i(1, 0, 2), axis=0, out="y")


@build("gather_last", [6])
def _(m): m.op("Gather", "x", i(1, 0, 2), axis=1, out="y")


@build("padded_first", [6])
def _(m): m.op("Pad", "x", i(1, 0, 1, 0), out="y")


@build("tiled_first", [6])
def _(m): m.op("Tile", "x", i(2, 1), out="y")


@build("transposed", [5])
def _(m): m.op("Transpose", "x", perm=[1, 0], out="y")


@build("class_token", [7, 6])
def _(m):
    batch = m.op("Slice", m.op("Shape", "x"), i(0), i(1))
    token = m.op("Expand", f(1, 1, 6), m.op("Concat", batch, i(1, 6), axis=0))
    m.op("Concat", token, "x", axis=1, out="y")


@build("zero_state", [6])
def _(m):
    batch = m.op("Slice", m.op("Shape", "x"), i(0), i(1))
    state = m.op("ConstantOfShape", m.op("Concat", batch, i(6), axis=0), value=numpy_helper.from_array(np.array([0.5], np.float32)))
    m.op("Tanh", m.op("Add", m.op("MatMul", "x", f(6, 6)), state), out="y")


@build("numbered_rows", [6])
def _(m):
    batch = m.op("Squeeze", m.op("Slice", m.op("Shape", "x"), i(0), i(1)))
    rows = m.op("Range", np.array(0, np.int64), batch, np.array(1, np.int64))
    m.op("Add", "x", m.op("Unsqueeze", m.op("Cast", rows, to=TensorProto.FLOAT), i(1)), out="y")


@build("convolution", [3, 6, 6])
def _(m): m.op("Flatten", m.op("Relu", m.op("Conv", "x", f(4, 3, 3, 3))), axis=1, out="y")


@build("instances_as_channels", [3, 6, 6])
def _(m):
    rows = m.op("Transpose", "x", perm=[1, 0, 2, 3])
    pooled = m.op("MaxPool", rows, kernel_shape=[2, 2], strides=[2, 2])
    m.op("Transpose", pooled, perm=[1, 0, 2, 3], out="y")


@build("layer_norm_over_batch", [6], opset=17)
def _(m): m.op("Transpose", m.op("LayerNormalization", m.op("Transpose", "x", perm=[1, 0]), f(5), axis=-1), perm=[1, 0], out="y")


@build("sliced_up_to_100", [6], count=150)
def _(m):
    batch = m.op("Slice", m.op("Shape", "x"), i(0), i(1))
    m.op("Slice", "x", i(0), m.op("Min", batch, i(100)), i(0), out="y")


@build("sampled_by_own_grid", [2, 4, 5], opset=20)
def _(m): m.op("GridSample", "x", m.op("Transpose", "x", perm=[0, 2, 3, 1]), out="y")


@build("affine_grid", [2, 3], opset=20)
def _(m):
    batch = m.op("Slice", m.op("Shape", "x"), i(0), i(1))
    m.op("AffineGrid", "x", m.op("Concat", batch, i(1, 3, 4), axis=0), out="y")


@build("norm_pooled", [2, 4, 5])
def _(m): m.op("LpPool", "x", kernel_shape=[2, 2], out="y")


@build("center_cropped", [4, 5], opset=18)
def _(m): m.op("CenterCropPad", "x", i(3, 7), axes=[1, 2], out="y")


@build("spectrum", [6, 2])
def _(m): m.op("DFT", "x", axis=1, out="y")


@build("spectrum_over_batch", [6, 2])
def _(m): m.op("DFT", "x", axis=0, out="y")


@build("determinants", [3, 3])
def _(m): m.op("Det", "x", out="y")


@build("regions_of_first", [2, 6, 6], opset=16)
def _(m): m.op("RoiAlign", "x", np.array([[0, 0, 4, 4]] * 5, np.float32), i(0, 0, 0, 0, 0), output_height=2, output_width=2, out="y")


@build("embedding", [6])
def _(m):
    ids = m.op("Cast", m.op("Abs", m.op("Mul", "x", np.array(2, np.float32))), to=TensorProto.INT64)
    m.op("Softmax", m.op("Gather", f(16, 3), ids, axis=0), axis=-1, out="y")


@build("picked_columns", [6])
def _(m):
    ids = m.op("Cast", m.op("Abs", m.op("Mul", "x", np.array(2, np.float32))), to=TensorProto.INT64)
    m.op("Transpose", m.op("Gather", f(3, 16), ids, axis=1), perm=[1, 2, 0], out="y")


@build("picked_columns_first", [3])
def _(m):
    ids = m.op("Cast", m.op("Abs", m.op("Mul", "x", np.array(2, np.float32))), to=TensorProto.INT64)
    m.op("Gather", f(5, 16), ids, axis=1, out="y")


def places(m, step, within, backwards=False):
    """Of x as one row: `within` of each sample, so many elements from one sample to the next; x has 6 of each."""
    count = m.op("Gather", m.op("Shape", "x"), np.array(0, np.int64), axis=0)
    numbers = m.op("Range", np.array(0, np.int64), count, np.array(1, np.int64))
    if backwards:
        numbers = m.op("Sub", m.op("Sub", count, np.array(1, np.int64)), numbers)
    starts = m.op("Unsqueeze", m.op("Mul", numbers, np.array(step, np.int64)), i(1))
    return m.op("Gather", m.op("Reshape", "x", i(-1)), m.op("Add", starts, within[None]), axis=0, out="y")


@build("strided_view", [6])
def _(m): places(m, 6, i(5, 0, 0, 2))


@build("strided_view_of_others", [6])
def _(m): places(m, 6, i(5, 0, 0, 2), backwards=True)


@build("strided_view_across", [6])
def _(m): places(m, 3, i(0, 1, 2, 3, 4, 5))


@build("recurrence_with_states", [4, 5])
def _(m):
    """As exporters write it: states of zeros, as many as there are samples."""
    count = m.op("Slice", m.op("Shape", "x"), i(0), i(1))
    zeros = m.op("Expand", np.zeros((2, 1, 3), np.float32), m.op("Concat", i(2), count, i(3), axis=0))
    sequences = m.op("Transpose", "x", perm=[1, 0, 2])
    y = m.op("LSTM", sequences, f(2, 12, 5), f(2, 12, 3), f(2, 24), "", zeros, zeros, hidden_size=3, direction="bidirectional")
    m.op("Transpose", y, perm=[2, 0, 1, 3], out="y")


@build("the_rest", [9])
def _(m): m.op("Slice", "x", i(0), i(10 ** 9), i(0), out="y")


def looked_up(m, backwards):
    """Of x, elements by pairs of a sample's number and a place, as masks of transformers are looked up."""
    count = m.op("Gather", m.op("Shape", "x"), np.array(0, np.int64), axis=0)
    numbers = m.op("Range", np.array(0, np.int64), count, np.array(1, np.int64))
    if backwards:
        numbers = m.op("Sub", m.op("Sub", count, np.array(1, np.int64)), numbers)
    extents = m.op("Concat", m.op("Shape", "x", end=1), i(2, 3, 1), axis=0)
    samples = m.op("Expand", m.op("Reshape", numbers, i(-1, 1, 1, 1)), extents)
    places = m.op("Expand", np.array([5, 0, 2], np.int64).reshape(1, 1, 3, 1), extents)
    m.op("GatherND", "x", m.op("Concat", samples, places, axis=3), out="y")


@build("looked_up", [6])
def _(m): looked_up(m, False)


@build("looked_up_of_others", [6])
def _(m): looked_up(m, True)
