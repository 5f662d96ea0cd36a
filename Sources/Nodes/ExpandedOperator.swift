import Tensors

/// An operator that stands for other nodes: which, follows from its attributes and what is known of its inputs. Control flow is
/// expanded, and so are sequences, which are lists of values that no run knows of.
package protocol ExpandedOperator: Operator {
    /// - Parameter scope: gives names to new values and nodes.
    /// - Throws: `GraphError(.unknownParameter)` with the value that must be known first, and what the operator finds wrong.
    func expansion(_ inputs: [ExpandedInput?], in scope: inout ExpansionScope) throws -> Expansion
}

extension ExpandedOperator {
    public func outputTypes(inputs: [OperatorInput?]) throws -> [ValueType] {
        throw GraphError(.unsupportedOperators, expected: "an operator that is expanded first")
    }
}

/// What is known of an input of an operator that is expanded.
package enum ExpandedInput {
    case tensor(OperatorInput)
    /// The values of a sequence, in order.
    case sequence([String])
    /// A value of which nothing is known yet but its name.
    case later(String)
}

/// What an operator stands for. The values that its node makes are outputs of the nodes, or are sequences.
package struct Expansion {
    /// In topological order.
    package var nodes: [Node] = []
    /// New constants by name.
    package var constants: [String: Tensor] = [:]
    /// By name, the values of each sequence that the node makes.
    package var sequences: [String: [String]] = [:]

    package init() {}

    /// Adds a node that gives `output` the value of `input`.
    package mutating func pass(_ input: String, as output: String, in scope: inout ExpansionScope) {
        guard !output.isEmpty else { return }
        nodes.append(Node(name: scope.name("as"), opType: "Identity", inputs: [input], outputs: [output]))
    }

    /// Adds a node with one output of a new name.
    /// - Returns: the name.
    package mutating func add(
        _ opType: String, _ inputs: [String], _ attributes: [String: Attribute] = [:], in scope: inout ExpansionScope
    ) -> String {
        let output = scope.name(opType)
        nodes.append(Node(name: output, opType: opType, inputs: inputs, outputs: [output], attributes: attributes))
        return output
    }

    /// Adds a constant of a new name.
    /// - Returns: the name.
    package mutating func add(_ constant: Tensor, in scope: inout ExpansionScope) -> String {
        let name = scope.name("constant")
        constants[name] = constant
        return name
    }

    /// Adds what a graph computes for the values that its inputs are given.
    /// - Returns: the names of its outputs.
    package mutating func add(
        _ body: Subgraph, _ arguments: [String], in scope: inout ExpansionScope
    ) -> [String] {
        var names = Dictionary(zip(body.inputs, arguments)) { first, _ in first }
        for own in body.constants.keys.sorted() + body.nodes.flatMap(\.outputs)
        where !own.isEmpty && names[own] == nil {
            names[own] = scope.name(own)
        }
        for node in body.nodes {
            var copy = node.renamed(names)
            copy.name = scope.name(node.name.isEmpty ? node.opType : node.name)
            nodes.append(copy)
        }
        for (name, constant) in body.constants { constants[names[name] ?? name] = constant }
        return body.outputs.map { names[$0] ?? $0 }
    }

    /// Adds nodes that put values on top of each other along a new axis.
    package mutating func stack(
        _ values: [String], axis: Int, as output: String, opsetVersion: Int, in scope: inout ExpansionScope
    ) {
        let parts = values.map { unsqueezed($0, axis: axis, opsetVersion: opsetVersion, in: &scope) }
        concatenate(parts, axis: axis, as: output, in: &scope)
    }

    /// Adds a node that gives a value one more axis, of extent one.
    package mutating func unsqueezed(
        _ value: String, axis: Int, opsetVersion: Int, in scope: inout ExpansionScope
    ) -> String {
        if opsetVersion < 13 { return add("Unsqueeze", [value], ["axes": .ints([axis])], in: &scope) }
        let axes = add(Tensor(shape: [1], [Int64(axis)]), in: &scope)
        return add("Unsqueeze", [value, axes], in: &scope)
    }

    /// Adds a node that puts values behind each other along an axis.
    package mutating func concatenate(
        _ values: [String], axis: Int, as output: String, in scope: inout ExpansionScope
    ) {
        nodes.append(
            Node(
                name: scope.name("Concat"), opType: "Concat", inputs: values, outputs: [output],
                attributes: ["axis": .int(axis)]))
    }
}

/// Names for what an operator is expanded to: unlike all others, and telling where they come from.
package struct ExpansionScope {
    private let prefix: String
    private let names: ExpansionNames

    /// - Parameters:
    ///   - prefix: what names begin with.
    ///   - names: makes them unlike all others.
    package init(prefix: String, names: ExpansionNames) {
        self.prefix = prefix
        self.names = names
    }

    /// A new name.
    package mutating func name(_ base: String) -> String { names.fresh.value("\(prefix)/\(base)") }

    /// The scope of a part, such as one turn of a loop.
    package func part(_ name: String) -> ExpansionScope { ExpansionScope(prefix: "\(prefix)/\(name)", names: names) }
}

/// Names for what stands in the place of operators. Belongs to one specialization.
package final class ExpansionNames {
    /// Names of values; nodes that are added are called as what they make.
    package var fresh: FreshNames

    /// - Parameter fresh: for a graph as it is.
    package init(_ fresh: FreshNames) { self.fresh = fresh }
}

extension Node {
    /// The value of an input that an expansion depends on; nil where the input is absent.
    /// - Throws: `GraphError(.unknownParameter)` where it is not known, `.invalidInput` for a sequence.
    package func known(_ inputs: [ExpandedInput?], _ index: Int) throws -> Tensor? {
        guard index < inputs.count, let input = inputs[index] else { return nil }
        switch input {
        case .tensor(let tensor): return try constant([tensor], 0)
        case .sequence:
            throw GraphError(
                .invalidInput, at: self, tensor: self.inputs[index], expected: "a tensor", found: "a sequence")
        case .later(let name): throw unknown(name)
        }
    }

    /// The type of a tensor input.
    /// - Throws: as `known` does.
    package func type(_ inputs: [ExpandedInput?], _ index: Int) throws -> ValueType {
        guard index < inputs.count, let input = inputs[index] else {
            throw GraphError(.invalidInput, at: self, expected: "input \(index)", found: "none")
        }
        switch input {
        case .tensor(let tensor): return tensor.type
        case .sequence:
            throw GraphError(
                .invalidInput, at: self, tensor: self.inputs[index], expected: "a tensor", found: "a sequence")
        case .later(let name): throw unknown(name)
        }
    }

    /// The values of a sequence.
    /// - Throws: `GraphError(.unknownParameter)` where they are not known yet, `.invalidInput` for a tensor.
    package func sequence(_ inputs: [ExpandedInput?], _ index: Int) throws -> [String] {
        guard index < inputs.count, let input = inputs[index] else {
            throw GraphError(.invalidInput, at: self, expected: "input \(index)", found: "none")
        }
        switch input {
        case .sequence(let values): return values
        case .tensor(let tensor):
            throw GraphError(.invalidInput, at: self, tensor: tensor.name, expected: "a sequence", found: "a tensor")
        case .later(let name): throw unknown(name)
        }
    }

    private func unknown(_ name: String) -> GraphError {
        GraphError(
            .unknownParameter, at: self, tensor: name, expected: "a constant",
            found: "a value that depends on the samples")
    }
}
