"""Writes networks of operators that are computed by their definitions, each of many nodes over the same inputs, and what they give.

NAME.onnx, and NAME.npz with its inputs as `in.VALUE` and its outputs as `out.VALUE`, by ONNX Runtime, or by the reference evaluator of
the onnx package where the runtime lacks the operator (those networks are printed). Needs onnx, onnxruntime and numpy.
"""
import itertools
import os
import zlib

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

HERE = os.path.dirname(os.path.abspath(__file__))
onnxruntime.set_default_logger_severity(4)


class Network:
    def __init__(self, name, opset=22, by_reference=False):
        self.name, self.opset, self.by_reference = name, opset, by_reference
        self.random = np.random.default_rng(zlib.crc32(name.encode()))
        self.inputs, self.constants, self.nodes, self.outputs = {}, {}, [], []

    def uniform(self, *shape, low=-2.0, high=2.0, dtype=np.float32):
        return self.random.uniform(low, high, shape).astype(dtype)

    def input(self, name, value):
        self.inputs[name] = np.asarray(value)
        return name

    def op(self, kind, *operands, outputs=1, **attributes):
        """Operands are names, arrays that become constants, or None for one that is absent."""
        names = []
        for operand in operands:
            if operand is None or isinstance(operand, str):
                names.append(operand or "")
            else:
                names.append(f"c{len(self.constants)}")
                self.constants[names[-1]] = np.asarray(operand)
        made = [f"y{len(self.nodes)}" + (f"_{k}" if k else "") for k in range(outputs)]
        self.nodes.append(helper.make_node(kind, names, made, name=f"n{len(self.nodes)}", **attributes))
        self.outputs += made
        return made[0] if outputs == 1 else made

    def write(self):
        def info(name, value):
            return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape)

        graph = helper.make_graph(
            self.nodes, self.name, [info(n, v) for n, v in self.inputs.items()],
            [helper.make_empty_tensor_value_info(n) for n in self.outputs],
            [numpy_helper.from_array(v, n) for n, v in self.constants.items()])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=9)
        if self.by_reference:
            print(self.name, "by onnx's reference evaluator")
            values = ReferenceEvaluator(model).run(None, self.inputs)
        else:
            inferred = onnx.shape_inference.infer_shapes(model)
            types = {o.name: o.type.tensor_type.elem_type for o in inferred.graph.output}
            for output in model.graph.output:
                output.CopyFrom(helper.make_tensor_value_info(output.name, types[output.name] or 1, None))
            options = onnxruntime.SessionOptions()
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
            session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
            values = session.run(None, self.inputs)
        del model.graph.output[:]
        model.graph.output.extend(info(n, v) for n, v in zip(self.outputs, values))
        onnx.save(model, os.path.join(HERE, self.name + ".onnx"))
        arrays = {"in." + n: v for n, v in self.inputs.items()} | {"out." + n: v for n, v in zip(self.outputs, values)}
        np.savez_compressed(os.path.join(HERE, self.name + ".npz"), **arrays)


def grid_samples():
    for name, opset, shape, modes in (
        ("grid_sample_2d", 20, (2, 3, 4, 5), ("nearest", "linear", "cubic")),
        ("grid_sample_2d_opset_16", 16, (1, 2, 3, 1), ("nearest", "bilinear", "bicubic")),
        ("grid_sample_3d", 20, (2, 2, 3, 4, 2), ("nearest", "linear")),
    ):
        n = Network(name, opset)
        x = n.input("x", n.uniform(*shape))
        axes = len(shape) - 2
        grid = n.input("grid", n.uniform(shape[0], *(3, 2, 4)[:axes], axes, low=-1.7, high=1.7))
        for mode, padding, corners in itertools.product(modes, ("zeros", "border", "reflection"), (0, 1)):
            if corners and padding == "reflection" and 1 in shape[2:]:
                continue  # nothing to be reflected between: the runtime divides by zero
            n.op("GridSample", x, grid, mode=mode, padding_mode=padding, align_corners=corners)
        n.write()
    n = Network("affine_grid", 20)
    theta, theta3 = n.input("theta", n.uniform(2, 2, 3)), n.input("theta3", n.uniform(1, 3, 4))
    for corners in (0, 1):
        n.op("AffineGrid", theta, np.array([2, 1, 3, 4]), align_corners=corners)
        n.op("AffineGrid", theta3, np.array([1, 1, 2, 3, 4]), align_corners=corners)
    n.write()


def regions():
    for opset in (10, 16):
        n = Network(f"roi_align_opset_{opset}", opset)
        x = n.input("x", n.uniform(2, 3, 7, 8))
        corners = n.uniform(5, 2, low=-2, high=10)
        rois = np.concatenate([corners, corners + n.uniform(5, 2, low=0.5, high=9)], 1)
        rois = n.input("rois", np.concatenate([rois, np.float32([[3, 3, 2, 2]])]))
        images = n.input("images", np.array([0, 1, 1, 0, 1, 0]))
        modes = ("half_pixel", "output_half_pixel") if opset == 16 else (None,)
        for mode, samples, transformation in itertools.product(("avg", "max"), (0, 2), modes):
            given = dict(coordinate_transformation_mode=transformation) if transformation else {}
            n.op("RoiAlign", x, rois, images, mode=mode, sampling_ratio=samples, output_height=2, output_width=3,
                 spatial_scale=0.75, **given)
        n.write()
    n = Network("max_roi_pool", 12)
    x = n.input("x", n.uniform(2, 3, 7, 8))
    corners = n.uniform(5, 2, low=-2, high=10)
    rois = np.concatenate([n.random.integers(0, 2, (5, 1)), corners, corners + n.uniform(5, 2, low=-1, high=9)], 1)
    rois = n.input("rois", rois.astype(np.float32))
    for shape, scale in (((2, 3), 1.0), ((1, 1), 0.5), ((4, 4), 0.75)):
        n.op("MaxRoiPool", x, rois, pooled_shape=shape, spatial_scale=scale)
    n.write()


def deformed_convolutions():
    n = Network("deform_conv", 19, by_reference=True)
    x, weight = n.input("x", n.uniform(2, 4, 5, 6)), n.uniform(6, 4, 3, 2)
    bias = n.uniform(6)
    for groups, offset_groups, strides, dilations, pads in (
        (1, 1, (1, 1), (1, 1), (0, 0, 0, 0)), (2, 1, (2, 1), (1, 2), (1, 0, 2, 1)), (1, 2, (1, 2), (2, 1), (1, 1, 1, 1)),
        (2, 4, (1, 1), (1, 1), (2, 2, 2, 2)),
    ):
        rows = (5 + pads[0] + pads[2] - 2 * dilations[0] - 1) // strides[0] + 1
        columns = (6 + pads[1] + pads[3] - dilations[1] - 1) // strides[1] + 1
        offset = n.uniform(2, offset_groups * 12, rows, columns)
        mask = n.uniform(2, offset_groups * 6, rows, columns, low=0)
        given = dict(group=groups, offset_group=offset_groups, strides=strides, dilations=dilations, pads=pads)
        n.op("DeformConv", x, weight[:, :4 // groups], offset, **given)
        n.op("DeformConv", x, weight[:, :4 // groups], offset, bias, mask, **given)
    n.write()


def images():
    n = Network("col2im", 18)
    for image, block, batch, given in (
        ((5, 5), (1, 5), 2, {}), ((6, 5), (2, 3), 1, dict(strides=[2, 1], pads=[1, 0, 0, 2])),
        ((7, 6), (2, 2), 2, dict(dilations=[2, 3])), ((4, 3, 5), (2, 1, 3), 1, dict(strides=[1, 2, 1])),
    ):
        axes = len(image)
        pads, ones = given.get("pads", [0] * 2 * axes), [1] * axes
        counts = [(image[a] + pads[a] + pads[a + axes] - given.get("dilations", ones)[a] * (block[a] - 1) - 1)
                  // given.get("strides", ones)[a] + 1 for a in range(axes)]
        x = n.input(f"x{len(n.inputs)}", n.uniform(batch, 3 * np.prod(block), np.prod(counts)))
        n.op("Col2Im", x, np.array(image), np.array(block), **given)
    n.write()
    n = Network("det", 11)
    x = n.uniform(4, 3, 3)
    x[1, 0, 0], x[2, 2] = 0, 2 * x[2, 0]
    n.op("Det", n.input("x", x))
    n.op("Det", n.input("one", n.uniform(1, 1)))
    n.op("Det", n.input("large", n.uniform(7, 7)))
    n.write()


def poolings():
    forms = (
        ((7, 6), dict(kernel_shape=[3, 2])), ((7, 6), dict(kernel_shape=[3, 3], strides=[2, 2], pads=[1, 0, 1, 2])),
        ((7, 7), dict(kernel_shape=[3, 2], dilations=[2, 3], strides=[1, 2])),
        ((7, 6), dict(kernel_shape=[2, 3], strides=[3, 2], ceil_mode=1)), ((9,), dict(kernel_shape=[3], strides=[2])),
        ((4, 5, 4), dict(kernel_shape=[2, 3, 2], strides=[2, 1, 1])), ((6, 5), dict(kernel_shape=[2, 3], auto_pad="SAME_LOWER")),
    )
    pool, norm = Network("max_pool_indices", 12), Network("lp_pool", 18)
    for shape, form in forms:
        x = pool.uniform(2, 2, *shape)
        name = pool.input(f"x{len(pool.inputs)}", x)
        for order in (0, 1):
            pool.op("MaxPool", name, outputs=2, storage_order=order, **form)
        # Equal elements: the first counts.
        integers = np.round(x * 2)
        if len(shape) == 2:
            pool.op("MaxPool", pool.input(f"x{len(pool.inputs)}", integers.astype(np.int8)), **form)
            pool.op("MaxPool", pool.input(f"x{len(pool.inputs)}", (integers + 4).astype(np.uint8)), outputs=2, **form)
        pool.op("MaxPool", pool.input(f"x{len(pool.inputs)}", integers.astype(np.float64)), outputs=2, **form)
        name = norm.input(f"x{len(norm.inputs)}", x)
        for p in (1, 2, 3):
            norm.op("LpPool", name, p=p, **form)
            norm.op("GlobalLpPool", name, p=p)
    pool.write()
    norm.write()
    n = Network("max_unpool", 11)
    for shape, form in (((4, 6), dict(kernel_shape=[2, 2], strides=[2, 2])), ((7, 7), dict(kernel_shape=[3, 3], strides=[2, 2])),
                        ((7, 5), dict(kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]))):
        x = n.input(f"x{len(n.inputs)}", n.uniform(2, 3, *shape))
        y, places = n.op("MaxPool", x, outputs=2, **form)
        n.op("MaxUnpool", y, places, **form)
    n.write()


def selections():
    n = Network("non_max_suppression", 11)
    for centered in (0, 1):
        boxes = n.uniform(2, 30, 4, low=0, high=3)
        if not centered:
            boxes[:, :, 2:] += boxes[:, :, :2] - 1
        boxes[1, 7] = boxes[1, 3]
        scores = np.round(n.uniform(2, 3, 30, low=0, high=1) * 16) / 16  # some are equal
        # Constants, so that the extents of the outputs are known.
        for limit, overlap, score in ((3, 0.3, None), (30, 0.1, 0.25), (30, 0.7, 0.5), (0, 0.5, None), (5, 0.0, 0.9)):
            n.op("NonMaxSuppression", boxes, scores, np.array([limit]), np.float32([overlap]),
                 None if score is None else np.float32([score]), center_point_box=centered)
    n.op("Relu", n.input("x", n.uniform(2)))
    n.write()
    n = Network("unique", 11)
    for value in (np.round(n.uniform(4, 5)), n.random.integers(-3, 3, (3, 2, 4)), n.random.integers(0, 3, 6).astype(np.int8),
                  np.round(n.uniform(5)).astype(np.float64)):
        for ordered in (0, 1):
            n.op("Unique", value, outputs=4, sorted=ordered)
            if value.ndim > 1:
                rows = np.concatenate([value, value[1:2], value], 0)
                n.op("Unique", rows, outputs=4, sorted=ordered, axis=0)
                n.op("Unique", np.concatenate([value[:, 1:], value], 1), outputs=4, sorted=ordered, axis=1 - value.ndim)
    n.op("Relu", n.input("x", n.uniform(2)))
    n.write()
    n = Network("non_zero", 13)
    for value in (np.round(n.uniform(3, 4)), n.random.integers(0, 2, (2, 3, 2)), np.zeros((2, 2), np.float32),
                  n.random.integers(0, 2, 5).astype(bool)):
        n.op("NonZero", value)
    n.op("Relu", n.input("x", n.uniform(2)))
    n.write()
    n = Network("compress", 11)
    x = n.input("x", n.uniform(3, 4, 2))
    for condition, axis in (([1, 0, 1], 0), ([0, 1, 1, 0], 1), ([0, 1], -1), ([0, 1], 1), ([0, 0, 1, 1, 0, 1], None)):
        n.op("Compress", x, np.array(condition, bool), **({} if axis is None else dict(axis=axis)))
    n.write()


def signals():
    for opset in (17, 20):
        n = Network(f"dft_opset_{opset}", opset)
        real, both = n.input("real", n.uniform(2, 12, 3, 1)), n.input("both", n.uniform(1, 7, 6, 2))
        for x, axis, length, inverse in itertools.product((real, both), (1, 2), (None, 5, 9), (0, 1)):
            operands = [x, None if length is None else np.int64(length)] + ([np.int64(axis)] if opset == 20 else [])
            given = {} if opset == 20 else dict(axis=axis)
            n.op("DFT", *operands, inverse=inverse, **given)
            if x == real and not inverse:
                n.op("DFT", *operands, onesided=1, **given)
        n.write()
    n = Network("stft", 17)
    real = n.input("real", n.uniform(2, 40, 1))
    both = n.input("both", n.uniform(1, 40, 2))
    for onesided in (0, 1):
        n.op("STFT", real, np.int64(5), None, np.int64(12), onesided=onesided)
        n.op("STFT", real, np.int64(8), n.uniform(16), onesided=onesided)
        n.op("STFT", real, np.int64(3), n.uniform(10), np.int64(10), onesided=onesided)
    n.op("STFT", both, np.int64(8), n.uniform(16), onesided=0)
    n.write()
    n = Network("windows", 17)
    for kind, size, periodic in itertools.product(("HannWindow", "HammingWindow", "BlackmanWindow"), (2, 9, 16), (0, 1)):
        n.op(kind, np.int32(size), periodic=periodic)
    for bands, length, rate, low, high in ((8, 16, 8192, 0, 4096), (20, 400, 16000, 20, 7600), (3, 33, 8000, 300, 3000)):
        n.op("MelWeightMatrix", np.int64(bands), np.int64(length), np.int64(rate), np.float32(low), np.float32(high))
    n.op("Relu", n.input("x", n.uniform(2)))
    n.write()
    n = Network("sequence_counts", 9)
    x = n.input("x", n.random.integers(1, 5, (3, 14)))
    for mode, (low, high), skips, weighted in itertools.product(("TF", "IDF", "TFIDF"), ((1, 2), (2, 2), (1, 3), (3, 3)), (0, 2),
                                                                (False, True)):
        pool = [1, 3, 4, 2, 1, 1, 2, 3, 3, 4, 2, 1, 2, 3, 4, 3, 3]
        given = dict(weights=[float(k) / 2 for k in range(1, 10)]) if weighted else {}
        n.op("TfIdfVectorizer", x, mode=mode, min_gram_length=low, max_gram_length=high, max_skip_count=skips,
             pool_int64s=pool, ngram_counts=[0, 3, 11], ngram_indexes=[0, 5, 2, 8, 1, 3, 7, 4, 6], **given)
    n.write()


for part in (grid_samples, regions, deformed_convolutions, images, poolings, selections, signals):
    part()
