import Nodes
import TensorFunctions
import Tensors

/// Operators on sequences of tensors, which are lists of values: all but the tensors that are put in and taken out is known
/// before a run.
public struct SequenceOperator: ExpandedOperator {
    public static let opTypes = [
        "ConcatFromSequence", "SequenceAt", "SequenceConstruct", "SequenceEmpty", "SequenceErase", "SequenceInsert",
        "SequenceLength", "SequenceMap", "SplitToSequence",
    ]

    /// More values in one sequence are refused.
    private static let maximumCount = 100_000

    package let node: Node
    private let opsetVersion: Int
    private let axis: Int
    /// ConcatFromSequence: whether along a new axis. SplitToSequence: whether parts of extent one keep the axis.
    private let keepsAxis: Bool
    /// Of SequenceMap.
    private let body: Subgraph?

    public init(node: Node, opsetVersion: Int) throws {
        let arity: ClosedRange<Int> =
            switch node.opType {
            case "SequenceEmpty": 0...0
            case "SequenceConstruct", "SequenceMap": 1...Int.max
            case "SequenceAt": 2...2
            case "SequenceInsert": 2...3
            case "SequenceErase", "SplitToSequence": 1...2
            default: 1...1
            }
        let isMap = node.opType == "SequenceMap"
        try node.checkArity(inputs: arity, outputs: isMap ? Int.max : 1, needsFirst: !isMap)
        var attributes = AttributeReader(node)
        attributes.ignore("dtype")
        switch node.opType {
        case "ConcatFromSequence":
            axis = try attributes.int("axis", default: 0)
            keepsAxis = try !attributes.flag("new_axis")
        case "SplitToSequence":
            axis = try attributes.int("axis", default: 0)
            keepsAxis = try attributes.int("keepdims", default: 1) != 0
        default: (axis, keepsAxis) = (0, true)
        }
        body = isMap ? try attributes.graph("body") : nil
        try attributes.finish()
        self.node = node
        self.opsetVersion = opsetVersion
    }

    package func expansion(_ inputs: [ExpandedInput?], in scope: inout ExpansionScope) throws -> Expansion {
        var expansion = Expansion()
        let output = node.outputs[0]
        switch node.opType {
        case "SequenceEmpty": expansion.sequences[output] = []
        case "SequenceConstruct": expansion.sequences[output] = node.inputs
        case "SequenceLength":
            expansion.constants[output] = Tensor(scalar: Int64(try node.sequence(inputs, 0).count))
        case "SequenceAt":
            let values = try node.sequence(inputs, 0)
            expansion.pass(values[try place(inputs, 1, limit: values.count) ?? 0], as: output, in: &scope)
        case "SequenceInsert":
            var values = try node.sequence(inputs, 0)
            guard values.count < Self.maximumCount else {
                throw GraphError(
                    .invalidInput, at: node, expected: "at most \(Self.maximumCount) values", found: "more")
            }
            values.insert(node.inputs[1], at: try place(inputs, 2, limit: values.count + 1) ?? values.count)
            expansion.sequences[output] = values
        case "SequenceErase":
            var values = try node.sequence(inputs, 0)
            let place = try place(inputs, 1, limit: values.count) ?? values.count - 1
            guard values.indices.contains(place) else {
                throw GraphError(
                    .invalidInput, at: node, tensor: node.inputs[0], expected: "a value to erase", found: "none")
            }
            values.remove(at: place)
            expansion.sequences[output] = values
        case "ConcatFromSequence":
            let values = try node.sequence(inputs, 0)
            guard !values.isEmpty else {
                throw GraphError(
                    .invalidInput, at: node, tensor: node.inputs[0], expected: "a sequence with values", found: "none")
            }
            if keepsAxis {
                expansion.concatenate(values, axis: axis, as: output, in: &scope)
            } else {
                expansion.stack(values, axis: axis, as: output, opsetVersion: opsetVersion, in: &scope)
            }
        case "SplitToSequence": try split(inputs, &expansion, &scope)
        default: try map(inputs, &expansion, &scope)
        }
        return expansion
    }

    /// The place that an input says, which may count from the end; nil where there is no such input.
    private func place(_ inputs: [ExpandedInput?], _ index: Int, limit: Int) throws -> Int? {
        guard let tensor = try node.known(inputs, index) else { return nil }
        guard let given = tensor.integers, given.count == 1 else {
            throw GraphError(
                .invalidInput, at: node, tensor: node.inputs[index], expected: "one integer", found: "other elements")
        }
        let length = index == 2 ? limit - 1 : limit
        let place = given[0] < 0 ? given[0] + length : given[0]
        guard 0..<limit ~= place else {
            throw GraphError(
                .invalidInput, at: node, tensor: node.inputs[index], expected: "a place among \(limit)",
                found: "\(given[0])")
        }
        return place
    }

    private func split(
        _ inputs: [ExpandedInput?], _ expansion: inout Expansion, _ scope: inout ExpansionScope
    ) throws {
        let shape = try node.type(inputs, 0).shape
        let axis = try node.resolveAxis(axis, rank: shape.rank)
        let extent = shape[axis]
        let given = try node.known(inputs, 1)
        let sizes: [Int]
        switch (given?.integers, given?.shape.rank) {
        case (let lengths?, 1): sizes = lengths
        case (let lengths?, 0) where lengths[0] > 0:
            let (whole, rest) = extent.quotientAndRemainder(dividingBy: lengths[0])
            guard whole < Self.maximumCount else { fallthrough }
            sizes = [Int](repeating: lengths[0], count: whole) + (rest > 0 ? [rest] : [])
        case (nil, nil) where extent < Self.maximumCount: sizes = [Int](repeating: 1, count: extent)
        default:
            throw GraphError(
                .invalidInput, at: node, tensor: given == nil ? nil : node.inputs[1],
                expected: "lengths along axis \(axis), of at most \(Self.maximumCount) parts", found: "others")
        }
        guard sizes.allSatisfy({ 0...extent ~= $0 }), sizes.reduce(0, &+) == extent, !sizes.isEmpty else {
            throw GraphError(
                .shapeMismatch, at: node, expected: "parts that make \(extent) along axis \(axis)", found: "\(sizes)")
        }
        let names = sizes.map { _ in scope.name("part") }
        var parts = Node(
            name: scope.name("Split"), opType: "Split", inputs: [node.inputs[0]], outputs: names,
            attributes: ["axis": .int(axis)])
        if opsetVersion < 13 {
            parts.attributes["split"] = .ints(sizes)
        } else {
            parts.inputs.append(expansion.add(Tensor(shape: [sizes.count], sizes.map(Int64.init)), in: &scope))
        }
        expansion.nodes.append(parts)
        guard !keepsAxis, given == nil else {
            expansion.sequences[node.outputs[0]] = names
            return
        }
        expansion.sequences[node.outputs[0]] = names.map { name in
            if opsetVersion < 13 { return expansion.add("Squeeze", [name], ["axes": .ints([axis])], in: &scope) }
            let axes = expansion.add(Tensor(shape: [1], [Int64(axis)]), in: &scope)
            return expansion.add("Squeeze", [name, axes], in: &scope)
        }
    }

    /// The body for each value of the first sequence, and for the values at the same place of the others; tensors are the same for all.
    private func map(
        _ inputs: [ExpandedInput?], _ expansion: inout Expansion, _ scope: inout ExpansionScope
    ) throws {
        guard let body, body.inputs.count == inputs.count, body.outputs.count == node.outputs.count else {
            throw GraphError(
                .invalidAttribute, at: node, expected: "a body with as many inputs and outputs as the node",
                found: "another")
        }
        let count = try node.sequence(inputs, 0).count
        var results = [[String]](repeating: [], count: node.outputs.count)
        for place in 0..<count {
            let arguments = try inputs.indices.map { index in
                guard case .sequence(let values)? = inputs[index] else { return node.inputs[index] }
                guard values.count == count else {
                    throw GraphError(
                        .invalidInput, at: node, tensor: node.inputs[index], expected: "\(count) values",
                        found: "\(values.count)")
                }
                return values[place]
            }
            var part = scope.part("\(place)")
            for (index, result) in expansion.add(body, arguments, in: &part).enumerated() {
                results[index].append(result)
            }
        }
        for (output, values) in zip(node.outputs, results) where !output.isEmpty {
            expansion.sequences[output] = values
        }
    }
}
