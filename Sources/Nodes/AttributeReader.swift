import ONNX
import Tensors

/// Reads a node's attributes and refuses those that nobody asked for: an attribute that is not understood could change
/// what the node means.
package struct AttributeReader {
    private let node: Node
    private var unread: Set<String>

    package init(_ node: Node) {
        self.node = node
        unread = Set(node.attributes.keys)
    }

    /// - Throws: `GraphError(.invalidAttribute)` when an attribute was not read.
    package func finish() throws {
        if let name = unread.min() {
            throw GraphError(.invalidAttribute, at: node, found: name)
        }
    }

    package mutating func int(_ name: String) throws -> Int? {
        switch take(name) {
        case nil: return nil
        case .int(let value)?: return value
        case let other?: throw mismatch(name, "int", other)
        }
    }

    package mutating func int(_ name: String, default value: Int) throws -> Int {
        try int(name) ?? value
    }

    package mutating func flag(_ name: String, default value: Bool = false) throws -> Bool {
        let number = try int(name, default: value ? 1 : 0)
        guard number == 0 || number == 1 else {
            throw GraphError(.invalidAttribute, at: node, expected: "\(name) 0 or 1", found: "\(number)")
        }
        return number == 1
    }

    package mutating func float(_ name: String) throws -> Float? {
        switch take(name) {
        case nil: return nil
        case .float(let value)?: return value
        case let other?: throw mismatch(name, "float", other)
        }
    }

    package mutating func float(_ name: String, default value: Float) throws -> Float {
        try float(name) ?? value
    }

    package mutating func string(_ name: String) throws -> String? {
        switch take(name) {
        case nil: return nil
        case .string(let value)?: return value
        case let other?: throw mismatch(name, "string", other)
        }
    }

    package mutating func ints(_ name: String) throws -> [Int]? {
        switch take(name) {
        case nil: return nil
        case .ints(let value)?: return value
        case let other?: throw mismatch(name, "ints", other)
        }
    }

    /// Integers that must lie in `range`; the range keeps sums and products of a few of them within `Int`.
    package mutating func ints(_ name: String, in range: ClosedRange<Int>) throws -> [Int]? {
        let values = try ints(name)
        for value in values ?? [] where !range.contains(value) {
            throw GraphError(
                .invalidAttribute, at: node, expected: "\(name) in \(range.lowerBound)...\(range.upperBound)",
                found: "\(value)")
        }
        return values
    }

    package mutating func floats(_ name: String) throws -> [Float]? {
        switch take(name) {
        case nil: return nil
        case .floats(let value)?: return value
        case let other?: throw mismatch(name, "floats", other)
        }
    }

    package mutating func strings(_ name: String) throws -> [String]? {
        switch take(name) {
        case nil: return nil
        case .strings(let value)?: return value
        case let other?: throw mismatch(name, "strings", other)
        }
    }

    package mutating func tensor(_ name: String) throws -> Tensor? {
        switch take(name) {
        case nil: return nil
        case .tensor(let value)?: return value
        case let other?: throw mismatch(name, "tensor", other)
        }
    }

    package mutating func graph(_ name: String) throws -> Subgraph {
        switch take(name) {
        case nil: throw GraphError(.invalidAttribute, at: node, expected: "\(name): graph", found: "none")
        case .graph(let value)?: return value
        case let other?: throw mismatch(name, "graph", other)
        }
    }

    /// An element type by its code in ONNX; float32 by default.
    package mutating func numberType(_ name: String) throws -> ElementType {
        let code = try int(name, default: 1)
        guard let type = ElementType(onnxCode: code), ![.bool, .int4, .uint4].contains(type) else {
            throw GraphError(
                .unsupportedElementType, at: node, expected: "\(name): a type of numbers", found: "\(code)")
        }
        return type
    }

    /// Accepts an attribute that does not matter here.
    package mutating func ignore(_ names: String...) {
        unread.subtract(names)
    }

    private mutating func take(_ name: String) -> Attribute? {
        unread.remove(name)
        return node.attributes[name]
    }

    private func mismatch(_ name: String, _ expected: String, _ found: Attribute) -> GraphError {
        GraphError(.invalidAttribute, at: node, expected: "\(name): \(expected)", found: found.kind)
    }
}

extension Attribute {
    /// The name of the case, for messages.
    package var kind: String {
        switch self {
        case .int: "int"
        case .float: "float"
        case .string: "string"
        case .tensor: "tensor"
        case .ints: "ints"
        case .floats: "floats"
        case .strings: "strings"
        case .graph: "graph"
        }
    }
}
