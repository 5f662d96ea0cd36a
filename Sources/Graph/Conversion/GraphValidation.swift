import Nodes
import Operators

extension Graph {
    /// Checks that the graph is legal (see `Graph`) and that every operator is known and has legal attributes.
    /// - Throws: `GraphError` naming node and tensor; all unknown op types at once.
    public func validate() throws {
        let unsupported = Set(nodes.filter { !KnownOperators.supports($0) }.map(\.qualifiedType))
        guard unsupported.isEmpty else {
            throw GraphError(.unsupportedOperators, found: unsupported.sorted().joined(separator: ", "))
        }
        try validateNames()
        let uses = ValueUses(self)
        for node in nodes {
            _ = try KnownOperators.make(node: node.withoutUnusedOutputs(uses), opsetVersion: opsetVersion)
            try node.validateSubgraphs(opsetVersion: opsetVersion)
        }
    }

    /// Checks that names are made before they are used, once each.
    func validateNames() throws {
        var defined = Set(constants.keys)
        for input in inputs where !defined.insert(input.name).inserted {
            throw GraphError(.duplicateValue, tensor: input.name)
        }
        let made = Set(nodes.flatMap(\.outputs))
        var nodeNames: Set<String> = []
        for node in nodes {
            guard nodeNames.insert(node.name).inserted else {
                throw GraphError(.duplicateValue, at: node, expected: "node names that differ", found: node.name)
            }
            for name in node.uses where !defined.contains(name) {
                throw GraphError(made.contains(name) ? .cycle : .undefinedValue, at: node, tensor: name)
            }
            for name in node.outputs where !name.isEmpty && !defined.insert(name).inserted {
                throw GraphError(.duplicateValue, at: node, tensor: name)
            }
        }
        guard !outputs.isEmpty else { throw GraphError(.missingOutput, expected: "an output", found: "none") }
        for output in outputs where !defined.contains(output.name) {
            throw GraphError(.undefinedValue, tensor: output.name)
        }
        guard Set(outputs.map(\.name)).count == outputs.count else {
            throw GraphError(.duplicateValue, expected: "outputs that differ", found: "\(outputs.map(\.name))")
        }
    }
}

extension Node {
    /// Checks that names in the graphs of the node are made before they are used, once each, and that their operators are legal.
    fileprivate func validateSubgraphs(opsetVersion: Int) throws {
        for body in subgraphs.values {
            var missing = body.ownValues
            missing.subtract(body.inputs)
            missing.subtract(body.constants.keys)
            guard Set(body.inputs).count == body.inputs.count else {
                throw GraphError(.duplicateValue, at: self, expected: "inputs that differ", found: "\(body.inputs)")
            }
            for node in body.nodes {
                if let early = node.uses.first(where: missing.contains) {
                    throw GraphError(.cycle, at: node, tensor: early)
                }
                for name in node.outputs where !name.isEmpty {
                    guard missing.remove(name) != nil else { throw GraphError(.duplicateValue, at: node, tensor: name) }
                }
                guard KnownOperators.supports(node) else {
                    throw GraphError(.unsupportedOperators, at: node, found: node.qualifiedType)
                }
                _ = try KnownOperators.make(node: node, opsetVersion: opsetVersion)
                try node.validateSubgraphs(opsetVersion: opsetVersion)
            }
        }
    }

    /// The node with the empty name for outputs after the first that nobody uses. Files of old opsets name the mask of a
    /// Dropout, for example, although it is not wanted.
    func withoutUnusedOutputs(_ uses: ValueUses) -> Node {
        var node = self
        for index in outputs.indices.dropFirst() where !uses.isUsed(outputs[index]) {
            node.outputs[index] = ""
        }
        return node
    }
}
