"""Writes operators.md: which ONNX operators models may have, how they are computed, and how many of ONNX's node tests pass.

    quantsim operators > operators.json
    python3 docs/operators.py operators.json RESULTS.json

RESULTS.json has for each node test by name a list of results, one for each way in which it was run: ["pass", ""] or
["refused", "why"]. A test counts as passed where any way did. Needs onnx.
"""
import collections
import json
import pathlib
import sys
import warnings

warnings.filterwarnings("ignore")
from onnx import defs  # noqa: E402
from onnx.backend.test.case.node import collect_testcases  # noqa: E402

FIRST, LAST = 7, 28
# What to know of an operator that is computed.
NOTES = {
    "Attention": "masks that hide all keys of a query give zeros",
    "Dropout": "inference; training only where the ratio is 0",
    "BatchNormalization": "running statistics are not an output",
    "LSTM": "", "GRU": "", "RNN": "",
    "com.microsoft.Attention": "no rotation, no shared buffer",
    "com.microsoft.MultiHeadAttention": "no packed keys and values, no shared buffer",
    "com.microsoft.EmbedLayerNormalization": "the index of the mask is not computed",
    "com.microsoft.FusedMatMul": "no transposition of batch axes",
    "com.microsoft.QLinearConv": "channels first",
    "com.microsoft.QLinearAveragePool": "channels first; ties may round to the other side",
    "com.microsoft.QLinearGlobalAveragePool": "channels first",
    "com.microsoft.RotaryEmbedding": "scale 1, no packed batches",
    **dict.fromkeys(["If", "Loop", "Scan", "SequenceMap"], "the nodes of the graph that is taken, in every turn; at most 10,000 turns"),
    "Scan": "from operator set 9 on; the nodes of every turn, at most 10,000",
    "TfIdfVectorizer": "of integers",
    "SimplifiedLayerNormalization": "ONNX Runtime's, in the default domain",
}
# Why an operator of ONNX is not computed.
REASONS = {
    "random": "draws random numbers, which no run could repeat",
    "training": "of training alone: QuantSim has losses and optimizers of its own",
    "text": "text",
    "images": "decodes files: QuantSim decodes images before the model",
    "options": "values that may be absent",
}
LEFT_OUT = {
    **dict.fromkeys(["Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"], "random"),
    **dict.fromkeys(["Adagrad", "Adam", "Gradient", "Momentum"], "training"),
    **dict.fromkeys(["StringNormalizer", "StringConcat", "StringSplit", "RegexFullMatch"], "text"),
    "ImageDecoder": "images",
    **dict.fromkeys(["Optional", "OptionalGetElement", "OptionalHasElement"], "options"),
}

catalogue = json.loads(pathlib.Path(sys.argv[1]).read_text())
results = json.loads(pathlib.Path(sys.argv[2]).read_text())
known = {(e["domain"] + "." if e["domain"] else "") + e["operator"]: e for e in catalogue}

versions = collections.defaultdict(list)
schemas = {}
for schema in defs.get_all_schemas_with_history():
    if schema.domain == "":
        versions[schema.name].append(schema.since_version)
        if schema.since_version >= max(versions[schema.name]):
            schemas[schema.name] = schema

passed, total = collections.Counter(), collections.Counter()
for case in collect_testcases(None):
    operators = {n.op_type for n in case.model.graph.node}
    if "_expanded" in case.name or len(operators) != 1 or case.name not in results:
        continue
    operator = operators.pop()
    total[operator] += 1
    passed[operator] += any(r[0] == "pass" for r in results[case.name])


def opsets(name):
    since = sorted(versions[name])
    if not since:
        return "any"
    last = schemas[name]
    first = max(since[0], FIRST)
    return f"{first} to {since[-1] - 1}" if last.deprecated else f"{first} to {LAST}"


def types(name, forward):
    if forward == "kernel":
        return "float32"
    return "float32 by kernel; as ONNX has them" if forward == "kernel or definition" else "as ONNX has them" if not name.count(".") else "as ONNX Runtime has them"


FORWARD = {"kernel": "kernel", "kernel or definition": "kernel, definition", "definition": "definition", "composition": "other operators"}
lines = [
    "# Operators",
    "",
    "Which ONNX operators models may have. Written by [operators.py](operators.py), which says how to write it again.",
    "",
    "- *Forward*: a kernel computes float32; a definition is slow and computes tensors of every type that the operator takes here (the floating-point types, integers",
    "  of 8 to 64 bits, truth values; no text, complex numbers or 8-bit floats); *other operators* says that the node is computed as they are.",
    "- *Gradient*: of float32. A model is calibrated and computed without it, but a layer before such a node cannot be trained.",
    "- *Node tests*: of ONNX's own tests of the operator, how many pass of those with tensors of types that NumPy has.",
    "- Calls of functions that a model brings along are computed as the nodes of the function.",
    "",
    "| operator | operator sets | types | forward | gradient | node tests | to know |",
    "|---|---|---|---|---|---|---|",
]
for name, entry in sorted(known.items(), key=lambda item: (item[1]["domain"], item[0])):
    tests = f"{passed[name]} of {total[name]}" if total[name] else ""
    lines.append(
        f"| `{name}` | {opsets(name) if not entry['domain'] else '1'} | {types(name, entry['forward'])} | {FORWARD[entry['forward']]} | "
        f"{'yes' if entry['gradient'] else 'no'} | {tests} | {NOTES.get(name, '')} |")
lines += ["", "## Not computed", "", "Nodes of these are refused by name when the model is read.", "", "| operator | why |", "|---|---|"]
for name in sorted(versions):
    if name in known or schemas[name].deprecated:
        continue
    lines.append(f"| {name} | {REASONS[LEFT_OUT[name]] if name in LEFT_OUT else 'not yet'} |")
pathlib.Path(__file__).with_name("operators.md").write_text("\n".join(lines) + "\n")
print(f"{len(known)} operators, {sum(passed.values())} of {sum(total.values())} node tests")
