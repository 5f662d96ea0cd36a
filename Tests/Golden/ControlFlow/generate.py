"""Models with branches, loops, scans, sequences, and extents that values say, and what ONNX Runtime computes for them.

Run in any folder: python3 generate.py. Writes NAME.onnx and NAME.npz beside it: inputs as `in.VALUE`, outputs as
`out.VALUE`. Needs onnx, onnxruntime and numpy.
"""
import os

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

HERE = os.path.dirname(os.path.abspath(__file__))
F, I, B = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL
random = np.random.default_rng(7)


def value(name, kind=F, shape=()):
    return helper.make_tensor_value_info(name, kind, shape)


def constant(name, array):
    return numpy_helper.from_array(np.asarray(array), name)


def node(op, inputs, outputs, **attributes):
    return helper.make_node(op, inputs.split(), outputs.split(), **attributes)


def body(nodes, inputs, outputs, constants=()):
    return helper.make_graph(nodes, "body", inputs, outputs, list(constants))


def case(name, nodes, inputs, outputs, feed, constants=(), opset=17):
    graph = helper.make_graph(nodes, name, inputs, outputs, list(constants))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    results = session.run(None, feed)
    onnx.save(model, os.path.join(HERE, f"{name}.onnx"))
    arrays = {f"in.{k}": v for k, v in feed.items()}
    arrays |= {f"out.{o.name}": r for o, r in zip(session.get_outputs(), results)}
    np.savez(os.path.join(HERE, f"{name}.npz"), **arrays)


def floats(*shape):
    return random.standard_normal(shape).astype(np.float32)


X = value("x", F, ["n", 4])
Y = value("y", F, None)
W = constant("w", floats(4, 4))

# Branches over a condition that the samples give. Names in branches are equal, and as another expansion might call them.
for name, x in [("branch_taken", np.abs(floats(3, 4))), ("branch_not_taken", -np.abs(floats(3, 4)))]:
    then = body([node("MatMul", "h w", "t"), node("Relu", "t", "r")], [], [value("r", F, None)])
    other = body([node("Mul", "h two", "t"), node("Sub", "t x", "r")], [], [value("r", F, None)], [constant("two", np.float32(2))])
    case(name, [
        node("Abs", "x", "choice/t"), node("Add", "x choice/t", "h"), node("ReduceSum", "x", "sum", keepdims=0),
        node("Greater", "sum zero", "positive"),
        helper.make_node("If", ["positive"], ["z"], "choice", then_branch=then, else_branch=other),
        node("Tanh", "z", "y")], [X], [Y], {"x": x}, [W, constant("zero", np.float32(0))])

# Over a condition that shapes give, and one inside of the other.
for name, rows in [("branch_by_shape", 1), ("branch_by_other_shape", 3)]:
    inner = helper.make_node("If", ["one"], ["q"], "inner", then_branch=body(
        [node("Neg", "x", "p")], [], [value("p", F, None)]), else_branch=body([node("Exp", "x", "p")], [], [value("p", F, None)]))
    case(name, [
        node("Shape", "x", "shape"), node("Gather", "shape first", "rows", axis=0), node("Equal", "rows first_one", "one"),
        helper.make_node("If", ["one"], ["y", "again"], "outer", then_branch=body(
            [node("Squeeze", "x axes", "s"), inner], [], [value("s", F, None), value("q", F, None)]),
            else_branch=body([inner, node("Sin", "q", "s")], [], [value("s", F, None), value("q", F, None)]))],
        [X], [Y, value("again", F, None)], {"x": floats(rows, 4)},
        [constant("first", np.int64(0)), constant("first_one", np.int64(1)), constant("axes", np.array([0]))])


def loop_body(last, condition="c", kept="m"):
    return body([node("MatMul", "h w", "m"), node("Cast", "i", "f", to=F), node("Add", "m f", "k"), node("Tanh", "k", "m2"),
                 *last], [value("i", I, []), value("c0", B, []), value("h", F, None)],
                [value(condition, B, []), value("m2", F, None), value("k", F, None)])


# So many turns as a constant says; as a value says; until a value is large; with both.
turn = loop_body([node("Identity", "c0", "c")])
case("loop_counted", [helper.make_node("Loop", ["five", "", "x"], ["y", "all"], "loop", body=turn)], [X],
     [Y, value("all", F, None)], {"x": floats(2, 4)}, [W, constant("five", np.int64(5))])
case("loop_counted_before_13", [helper.make_node("Loop", ["five", "", "x"], ["y", "all"], "loop", body=turn)], [X],
     [Y, value("all", F, None)], {"x": floats(2, 4)}, [W, constant("five", np.int64(3))], opset=11)
case("loop_by_value", [
    node("ReduceMax", "x", "most", keepdims=0), node("Ceil", "most", "up"), node("Cast", "up", "turns", to=I),
    helper.make_node("Loop", ["turns", "", "x"], ["y", "all"], "loop", body=turn)], [X],
    [Y, value("all", F, None)], {"x": np.abs(floats(2, 4)) + 2}, [W])
until = body([node("Add", "h h", "d"), node("ReduceMax", "d", "most", keepdims=0), node("Less", "most hundred", "c"),
              node("MatMul", "d w", "k")],
             [value("i", I, []), value("c0", B, []), value("h", F, None)],
             [value("c", B, []), value("d", F, None), value("k", F, None)])
case("loop_until", [helper.make_node("Loop", ["", "yes", "x"], ["d2", "all"], "loop", body=until), node("Sub", "d2 x", "y")],
     [X], [Y, value("all", F, None)], {"x": np.abs(floats(2, 4)) + 0.1}, [W, constant("hundred", np.float32(100)),
                                                                    constant("yes", np.array(True))])
case("loop_until_or_counted", [helper.make_node("Loop", ["three", "yes", "x"], ["y", "all"], "loop", body=until)],
     [X], [Y, value("all", F, None)], {"x": np.abs(floats(2, 4)) / 100}, [W, constant("hundred", np.float32(100)),
                                                              constant("yes", np.array(True)), constant("three", np.int64(3))])
still = body([node("MatMul", "h w", "m")], [value("i", I, []), value("c0", B, []), value("h", F, None)],
             [value("c0", B, []), value("m", F, None)])
case("loop_not_run", [helper.make_node("Loop", ["none", "", "x"], ["y"], "loop", body=still)],
     [X], [Y], {"x": floats(2, 4)}, [W, constant("none", np.int64(0))])
# A loop in a loop, which uses values of both graphs around it.
inner = body([node("Add", "g h", "s"), node("Mul", "s x", "g2")],
             [value("j", I, []), value("e0", B, []), value("g", F, None)], [value("e0", B, []), value("g2", F, None)])
outer = body([helper.make_node("Loop", ["two", "", "h"], ["g3"], "inner", body=inner), node("Tanh", "g3", "h2")],
             [value("i", I, []), value("c0", B, []), value("h", F, None)], [value("c0", B, []), value("h2", F, None)])
case("loop_in_loop", [helper.make_node("Loop", ["two", "", "x"], ["y"], "outer", body=outer)], [X], [Y],
     {"x": floats(2, 4)}, [constant("two", np.int64(2))])

# Scans: sums along the first axis; backward, along another, stacked along the last.
sums = body([node("Add", "s e", "s2"), node("Mul", "s2 e", "p")], [value("s", F, [4]), value("e", F, [4])],
            [value("s2", F, [4]), value("p", F, [4])])
case("scan", [helper.make_node("Scan", ["start", "x"], ["last", "y"], "scan", body=sums, num_scan_inputs=1)], [X],
     [value("last", F, None), Y], {"x": floats(5, 4)}, [constant("start", floats(4))])
case("scan_backward", [
    node("Transpose", "x", "t"),
    helper.make_node("Scan", ["start", "t"], ["last", "y"], "scan", body=sums, num_scan_inputs=1, scan_input_axes=[1],
                     scan_input_directions=[1], scan_output_axes=[-1], scan_output_directions=[1])], [X],
     [value("last", F, None), Y], {"x": floats(5, 4)}, [constant("start", floats(4))])

# Sequences.
case("sequence_parts", [
    node("SplitToSequence", "x", "rows", axis=0, keepdims=0), node("SequenceLength", "rows", "count"),
    node("SequenceAt", "rows last", "a"), node("SequenceErase", "rows last", "fewer"),
    node("SequenceInsert", "fewer a first", "turned"), node("ConcatFromSequence", "turned", "y", axis=-1, new_axis=1)],
    [X], [Y, value("count", I, [])], {"x": floats(3, 4)}, [constant("last", np.int64(-1)), constant("first", np.int64(0))])
gather = body([node("Gather", "x i", "row", axis=0), node("SequenceInsert", "s row", "s2"), node("Identity", "c0", "c")],
              [value("i", I, []), value("c0", B, []),
               helper.make_tensor_sequence_value_info("s", F, None)],
              [value("c", B, []), helper.make_tensor_sequence_value_info("s2", F, None)])
case("sequence_in_loop", [
    node("SequenceEmpty", "", "none"), helper.make_node("Loop", ["three", "", "none"], ["rows"], "loop", body=gather),
    node("ConcatFromSequence", "rows", "y", axis=0, new_axis=0)], [X], [Y], {"x": floats(3, 4)},
    [constant("three", np.int64(3))])
case("sequence_split_by_lengths", [
    node("SplitToSequence", "x lengths", "parts", axis=1), node("SequenceAt", "parts one", "a"),
    node("SequenceAt", "parts zero", "b"), node("SequenceConstruct", "a b", "turned"),
    node("ConcatFromSequence", "turned", "y", axis=1)], [X], [Y], {"x": floats(3, 4)},
    [constant("lengths", np.array([1, 3])), constant("one", np.int64(1)), constant("zero", np.int64(0))])
case("sequence_by_value", [
    node("SplitToSequence", "x", "rows", axis=0), node("ReduceSum", "x", "s", keepdims=0), node("Less", "s zero", "negative"),
    node("Cast", "negative", "place", to=I), node("SequenceAt", "rows place", "y")], [X], [Y], {"x": floats(3, 4)},
    [constant("zero", np.float32(0))])

each = body([node("Mul", "e x", "p"), node("Tanh", "p", "q")], [value("e", F, None), value("x2", F, None)], [value("q", F, None)])
case("sequence_map", [
    node("SplitToSequence", "x", "rows", axis=0), helper.make_node("SequenceMap", ["rows", "x"], ["mapped"], "map", body=each),
    node("ConcatFromSequence", "mapped", "y", axis=0)], [X], [Y], {"x": floats(3, 4)})

# Extents, places and bounds that the samples say, one after the other.
case("extents_by_value", [
    node("ReduceMax", "x", "most", keepdims=0), node("Cast", "most", "count", to=I), node("Range", "zero count one", "places"),
    node("Gather", "w places", "rows", axis=0), node("MatMul", "rows w", "product"), node("ReduceMean", "product", "mean", axes=[1], keepdims=0),
    node("Softplus", "mean", "soft"), node("Ceil", "soft", "up"), node("Cast", "up", "repeats", to=I),
    node("ReduceMax", "repeats", "k", axes=[0]), node("Expand", "x k", "wide"), node("Slice", "product zeros k", "cut"),
    node("ReduceSum", "cut", "total", keepdims=0), node("Add", "wide total", "y")], [X], [Y, value("places", I, None)],
    {"x": np.float32([[1.5, 2, 3.7, 0]])},
    [W, constant("zero", np.int64(0)), constant("one", np.int64(1)), constant("zeros", np.array([0]))])
