import Tensors

/// One application of an operator.
public struct Node: Sendable, Equatable {
    /// The ONNX node name; made unique at import where the file leaves it empty.
    public var name: String
    /// ONNX operator type, as "Conv".
    public var opType: String
    /// Empty for the default ONNX operator set.
    public var domain: String
    /// Value names; empty where an optional input is absent.
    public var inputs: [String]
    /// Value names; empty where an optional output is not wanted.
    public var outputs: [String]
    /// By ONNX name; those left out have the operator's defaults.
    public var attributes: [String: Attribute]

    /// A node of the default operator set unless `domain` says otherwise.
    public init(
        name: String, opType: String, domain: String = "", inputs: [String], outputs: [String],
        attributes: [String: Attribute] = [:]
    ) {
        self.name = name
        self.opType = opType
        self.domain = domain
        self.inputs = inputs
        self.outputs = outputs
        self.attributes = attributes
    }
}

/// The value of a node's attribute, of the types that operators of this project take.
public enum Attribute: Sendable, Equatable {
    case int(Int)
    case float(Float)
    case string(String)
    case tensor(Tensor)
    case ints([Int])
    case floats([Float])
    case strings([String])
    indirect case graph(Subgraph)
}

extension Node {
    /// The op type with its domain where that is not the default one.
    public var qualifiedType: String { Node.isDefault(domain: domain) ? opType : "\(domain).\(opType)" }

    /// The default operator set goes by two names.
    package static func isDefault(domain: String) -> Bool { domain.isEmpty || domain == "ai.onnx" }
}
