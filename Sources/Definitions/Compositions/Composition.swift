import Nodes
import Operators
import Tensors

/// An operator that is a function of other operators. Where a graph is specialized, the nodes of the function stand in its place:
/// it is computed, and its gradient, as they are.
package protocol ComposedOperator: Operator {
    /// Whether the functions that it is made of have gradients, as far as its inputs are numbers that can be learned.
    static var isDifferentiable: Bool { get }

    /// Whether it is one in this form; otherwise its definition or its primitive stands.
    func isComposed(of inputs: [OperatorInput?]) -> Bool

    /// Adds the function's nodes.
    /// - Parameters:
    ///   - inputs: of the node, with their types.
    ///   - types: what `outputTypes` gave.
    /// - Returns: the values that are the node's outputs, in order; nil for those that nobody asks for.
    func compose(
        _ parts: inout Composition, inputs: [OperatorInput?], types: [ValueType]
    ) throws -> [Composition.Value?]
}

extension ComposedOperator {
    package static var isDifferentiable: Bool { true }

    package func isComposed(of inputs: [OperatorInput?]) -> Bool { true }
}

/// The nodes that stand for one node, in the words of one operator set whatever the model's is.
package struct Composition {
    /// A value on the way: an input of the node, a constant, or what a node has made.
    package struct Value: Sendable {
        package let name: String
        package let type: ValueType
        /// Where it is known.
        package let constant: Tensor?

        package var shape: Shape { type.shape }
    }

    /// What the nodes mean.
    package static let opsetVersion = 22

    /// In topological order.
    package private(set) var nodes: [Node] = []
    /// New ones.
    package private(set) var constants: [String: Tensor] = [:]
    /// Names that are free still.
    package private(set) var names: FreshNames
    /// The one that they stand for.
    package let node: Node

    /// - Parameter names: unlike those that exist.
    package init(of node: Node, names: FreshNames) {
        (self.node, self.names) = (node, names)
    }

    /// Gives the values the names of the node's outputs.
    package mutating func finish(_ results: [Value?]) {
        var renamed: [String: String] = [:]
        for (output, result) in zip(node.outputs, results) where !output.isEmpty {
            guard let result else { continue }
            let maker = nodes.firstIndex { $0.outputs.contains(result.name) }
            guard let maker else {
                // An input or a constant, or a value that is another output already.
                let name = names.node("\(node.name)/Identity")
                let source = renamed[result.name] ?? result.name
                nodes.append(Node(name: name, opType: "Identity", inputs: [source], outputs: [output]))
                continue
            }
            renamed[result.name] = output
            for index in maker..<nodes.count {
                nodes[index].inputs = nodes[index].inputs.map { $0 == result.name ? output : $0 }
                nodes[index].outputs = nodes[index].outputs.map { $0 == result.name ? output : $0 }
            }
        }
    }

    // MARK: Parts

    package mutating func constant(_ tensor: Tensor) -> Value {
        let name = names.value("\(node.name)/constant")
        constants[name] = tensor
        return Value(name: name, type: ValueType(tensor.elementType, tensor.shape), constant: tensor)
    }

    /// A number without axes.
    package mutating func number(_ number: Double, _ type: ElementType) -> Value {
        constant(Tensor(scalar: number).converted(to: type))
    }

    /// The only output of a new node.
    /// - Parameter inputs: nil for those that are absent.
    /// - Throws: what the operator finds wrong with its inputs.
    package mutating func apply(
        _ opType: String, _ inputs: [Value?], _ attributes: [String: Attribute] = [:]
    ) throws -> Value {
        try apply(opType, inputs, attributes, outputs: 1)[0]
    }

    /// The first outputs of a new node.
    package mutating func apply(
        _ opType: String, _ inputs: [Value?], _ attributes: [String: Attribute] = [:], outputs count: Int
    ) throws -> [Value] {
        let made = Node(
            name: names.node("\(node.name)/\(opType)"), opType: opType, inputs: inputs.map { $0?.name ?? "" },
            outputs: (0..<count).map { _ in names.value("\(node.name)/\(opType)") }, attributes: attributes)
        let meaning = try KnownOperators.make(node: made, opsetVersion: Self.opsetVersion)
        let types = try meaning.outputTypes(
            inputs: inputs.map { value in
                value.map { OperatorInput(name: $0.name, type: $0.type, constant: $0.constant) }
            })
        if let type = types.first(where: { $0.byteCount == nil }) {
            throw GraphError(
                .shapeMismatch, at: node, expected: "extents up to \(Window.limit) that fit into memory",
                found: "\(type.shape)")
        }
        nodes.append(made)
        return zip(made.outputs, types).map { Value(name: $0, type: $1, constant: nil) }
    }

    // MARK: Short words

    /// Whether anybody asks for the node's output.
    package func isAsked(_ output: Int) -> Bool { output < node.outputs.count && !node.outputs[output].isEmpty }

    package func value(_ input: OperatorInput) -> Value {
        Value(name: input.name, type: input.type, constant: input.constant)
    }

    package func value(_ inputs: [OperatorInput?], _ index: Int) -> Value? {
        index < inputs.count ? inputs[index].map(value) : nil
    }

    package mutating func add(_ left: Value, _ right: Value?) throws -> Value {
        guard let right else { return left }
        return try apply("Add", [left, right])
    }

    package mutating func multiply(_ left: Value, _ right: Value) throws -> Value { try apply("Mul", [left, right]) }

    /// Times a number.
    package mutating func scale(_ value: Value, by factor: Double) throws -> Value {
        factor == 1 ? value : try multiply(value, number(factor, value.type.elementType))
    }

    package mutating func reshape(_ value: Value, _ extents: [Int]) throws -> Value {
        if value.shape.dimensions == extents { return value }
        return try apply("Reshape", [value, integers(extents)], ["allowzero": .int(1)])
    }

    package mutating func transpose(_ value: Value, _ permutation: [Int]) throws -> Value {
        try apply("Transpose", [value], ["perm": .ints(permutation)])
    }

    /// As another type.
    package mutating func cast(_ value: Value, to type: ElementType) throws -> Value {
        if value.type.elementType == type { return value }
        return try apply("CastLike", [value, number(0, type)])
    }

    /// Cut along an axis.
    package mutating func split(_ value: Value, axis: Int, into extents: [Int]) throws -> [Value] {
        if extents.count == 1 { return [value] }
        return try apply("Split", [value, integers(extents)], ["axis": .int(axis)], outputs: extents.count)
    }

    package mutating func concatenate(_ values: [Value], axis: Int) throws -> Value {
        values.count == 1 ? values[0] : try apply("Concat", values, ["axis": .int(axis)])
    }

    /// Constants that are made of places alone may have so many elements: extents say how many, and cost nothing.
    private static let placeLimit = 1 << 26

    /// - Throws: `GraphError` where a constant of that shape would be too large.
    package static func check(_ shape: Shape, at node: Node) throws {
        let (count, overflow) = shape.dimensions.reduce((1, false)) { product, extent in
            let (next, overflow) = product.0.multipliedReportingOverflow(by: extent)
            return (next, product.1 || overflow)
        }
        guard !overflow, count <= placeLimit else {
            throw GraphError(
                .shapeMismatch, at: node, expected: "at most \(placeLimit) places", found: "\(shape)")
        }
    }

    /// 0, 1, ... below a number.
    package mutating func places(_ count: Int) throws -> Value {
        try Self.check([count], at: node)
        return integers(Array(0..<count))
    }

    package mutating func integers(_ values: [Int]) -> Value {
        constant(Tensor(shape: [values.count], values.map { Int64($0) }))
    }
}
