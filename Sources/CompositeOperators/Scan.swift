import Nodes
import Tensors

/// Scan of operator set 9 and later: a graph that is computed for each index along an axis of its inputs, and carries values from one to the next.
public struct Scan: ExpandedOperator {
    public static let opTypes = ["Scan"]

    /// A scan over more is refused: each index is nodes of its own.
    private static let maximumTurns = 10_000

    package let node: Node
    private let body: Subgraph
    private let opsetVersion: Int
    /// How many values are carried, and how many inputs are scanned.
    private let carried, scanned: Int
    /// Of scanned inputs and of stacked outputs; may count from the end.
    private let inputAxes, outputAxes: [Int]
    private let inputsBackward, outputsBackward: [Bool]

    public init(node: Node, opsetVersion: Int) throws {
        guard opsetVersion >= 9 else {
            throw GraphError(
                .unsupportedOperators, at: node, expected: "Scan of operator set 9 or later", found: "\(opsetVersion)")
        }
        try node.checkArity(inputs: 1...Int.max, outputs: Int.max, needsFirst: false)
        var attributes = AttributeReader(node)
        body = try attributes.graph("body")
        scanned = try attributes.int("num_scan_inputs", default: 0)
        let total = node.inputs.count
        carried = total - min(max(scanned, 0), total)
        let stacked = max(body.outputs.count - carried, 0)
        inputAxes = try attributes.ints("scan_input_axes") ?? [Int](repeating: 0, count: max(scanned, 0))
        outputAxes = try attributes.ints("scan_output_axes") ?? [Int](repeating: 0, count: stacked)
        inputsBackward = try (attributes.ints("scan_input_directions") ?? inputAxes.map { _ in 0 }).map { $0 == 1 }
        outputsBackward = try (attributes.ints("scan_output_directions") ?? outputAxes.map { _ in 0 }).map { $0 == 1 }
        try attributes.finish()
        guard 1...total ~= scanned, body.inputs.count == total, body.outputs.count >= carried,
            body.outputs.count == node.outputs.count, inputAxes.count == scanned, outputAxes.count == stacked,
            inputsBackward.count == scanned, outputsBackward.count == stacked
        else {
            throw GraphError(
                .invalidAttribute, at: node,
                expected: "a body and axes that fit \(total) inputs, \(scanned) of them scanned, and the outputs",
                found: "a body of \(body.inputs.count) inputs and \(body.outputs.count) outputs")
        }
        self.node = node
        self.opsetVersion = opsetVersion
    }

    package func expansion(_ inputs: [ExpandedInput?], in scope: inout ExpansionScope) throws -> Expansion {
        var extents: Set<Int> = []
        var axes: [Int] = []
        for index in 0..<scanned {
            let shape = try node.type(inputs, carried + index).shape
            axes.append(try node.resolveAxis(inputAxes[index], rank: shape.rank))
            extents.insert(shape[axes[index]])
        }
        guard let extent = extents.first, extents.count == 1, 1...Self.maximumTurns ~= extent else {
            throw GraphError(
                .shapeMismatch, at: node, expected: "one extent of 1 to \(Self.maximumTurns) along the scanned axes",
                found: "\(extents.sorted())")
        }
        var expansion = Expansion()
        var values = Array(node.inputs[..<carried])
        var stacked = [[String]](repeating: [], count: outputAxes.count)
        for turn in 0..<extent {
            var part = scope.part("\(turn)")
            let slices = (0..<scanned).map { index in
                let place = inputsBackward[index] ? extent - 1 - turn : turn
                let number = expansion.add(Tensor(scalar: Int64(place)), in: &part)
                return expansion.add(
                    "Gather", [node.inputs[carried + index], number], ["axis": .int(axes[index])], in: &part)
            }
            let results = expansion.add(body, values + slices, in: &part)
            values = Array(results[..<carried])
            for index in stacked.indices { stacked[index].append(results[carried + index]) }
        }
        for index in 0..<carried { expansion.pass(values[index], as: node.outputs[index], in: &scope) }
        for index in stacked.indices where !node.outputs[carried + index].isEmpty {
            expansion.stack(
                outputsBackward[index] ? stacked[index].reversed() : stacked[index], axis: outputAxes[index],
                as: node.outputs[carried + index], opsetVersion: opsetVersion, in: &scope)
        }
        return expansion
    }
}
