import Nodes
import Tensors

/// Einsum: sums of products of elements, by an equation that names the axes of each input and of the output.
public struct Einsum: Operator {
    public static let opTypes = ["Einsum"]

    let node: Node
    /// Axis names of each input; "." stands for all axes that broadcast.
    let inputTerms: [[Character]]
    /// Nil where the equation leaves it to the rule: the broadcast axes, then names that occur once, in the alphabet's order.
    private let outputTerm: [Character]?

    public init(node: Node, opsetVersion: Int) throws {
        try node.checkArity(inputs: 1...Int.max)
        var attributes = AttributeReader(node)
        let equation = try attributes.string("equation") ?? ""
        try attributes.finish()
        let compact = String(equation.filter { !$0.isWhitespace }).replacing("...", with: ".")
        let sides = compact.replacing("->", with: ">").split(separator: ">", omittingEmptySubsequences: false)
        let terms = (sides.first ?? "").split(separator: ",", omittingEmptySubsequences: false).map(Array.init)
        let output = sides.count > 1 ? Array(sides[1]) : nil
        let isSound = (terms + [output ?? []]).allSatisfy { term in
            term.allSatisfy { $0.isASCII && $0.isLetter || $0 == "." } && term.count { $0 == "." } <= 1
        }
        guard sides.count <= 2, isSound, terms.count == node.inputs.count,
            output.map({ Set($0).count == $0.count }) ?? true,
            (output ?? []).allSatisfy({ name in name == "." || terms.contains { $0.contains(name) } })
        else {
            throw GraphError(
                .invalidAttribute, at: node, expected: "an equation for \(node.inputs.count) inputs", found: equation)
        }
        (inputTerms, outputTerm) = (terms, output)
        self.node = node
    }

    /// An axis of the whole product: by name, or one of those that broadcast, counted from the last.
    package enum Axis: Hashable, Comparable {
        case broadcast(fromEnd: Int)
        case named(Character)

        package static func < (left: Axis, right: Axis) -> Bool {
            switch (left, right) {
            case (.broadcast(let a), .broadcast(let b)): a > b
            case (.named(let a), .named(let b)): a < b
            case (.broadcast, .named): true
            case (.named, .broadcast): false
            }
        }
    }

    /// What each axis of a term is, for a tensor of this rank.
    private func axes(_ term: [Character], rank: Int) -> [Axis]? {
        let broadcast = rank - term.count { $0 != "." }
        guard broadcast >= 0, term.contains(".") || broadcast == 0 else { return nil }
        return term.flatMap { name in
            name == "." ? (0..<broadcast).reversed().map { Axis.broadcast(fromEnd: $0) } : [.named(name)]
        }
    }

    /// The axes of the inputs and of the output, and the extent of each.
    package func layout(inputs: [OperatorInput?]) throws -> (inputs: [[Axis]], output: [Axis], extents: [Axis: Int]) {
        var extents: [Axis: Int] = [:]
        var found: [[Axis]] = []
        for (index, term) in inputTerms.enumerated() {
            let input = try node.input(inputs, index)
            guard let axes = axes(term, rank: input.type.shape.rank) else {
                throw GraphError(
                    .shapeMismatch, at: node, tensor: input.name, expected: "axes \(String(term))",
                    found: "\(input.type.shape)")
            }
            for (axis, extent) in zip(axes, input.type.shape.dimensions) {
                let known = extents[axis] ?? 1
                guard known == extent || known == 1 || extent == 1 else {
                    throw GraphError(
                        .shapeMismatch, at: node, tensor: input.name, expected: "extent \(known) along \(axis)",
                        found: "\(input.type.shape)")
                }
                extents[axis] = known == 1 ? extent : known
            }
            found.append(axes)
        }
        let all = found.flatMap(\.self)
        let broadcast = Set(all).filter { if case .broadcast = $0 { true } else { false } }.sorted()
        let output: [Axis] =
            outputTerm.map { term in
                term.flatMap { name in name == "." ? broadcast : [Axis.named(name)] }
            }
            ?? broadcast
            + Set(all).filter { axis in
                if case .named = axis { all.count { $0 == axis } == 1 } else { false }
            }.sorted()
        return (found, output, extents)
    }

    public func outputTypes(inputs: [OperatorInput?]) throws -> [ValueType] {
        try node.checkOneElementType(inputs)
        let (_, output, extents) = try layout(inputs: inputs)
        let type = try node.input(inputs, 0).type.elementType
        return [ValueType(type, Shape(output.map { extents[$0] ?? 1 }))]
    }
}
