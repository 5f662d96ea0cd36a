import Foundation
import Graph
import Nodes
import Operators
import Simulation
import Tensors

/// The contents of Tests/Golden/Simulation/placement.json, which placement.py writes.
struct GoldenPlacement: Decodable {
    var graphs: [String: GoldenGraph]
    var cases: [GoldenCase]

    static func load() throws -> GoldenPlacement {
        let url = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "Golden/Simulation/placement.json")
        return try JSONDecoder().decode(GoldenPlacement.self, from: Data(contentsOf: url))
    }
}

/// Op types, names, attributes that are integers, axes or (as their element type) tensors, and the types of constants, with
/// the value where it is one number.
struct GoldenGraph: Decodable {
    struct Operation {
        var opType: String
        var inputs, outputs: [String]
        var attributes: [String: Attribute]
    }
    struct Constant {
        var type: String
        var dimensions: [Int]
        var value: Double?
    }

    var inputs, outputs: [String]
    var nodes: [Operation]
    var constants: [String: Constant]
    /// Of inputs that are not of float32.
    var inputTypes: [String: String]?

    enum CodingKeys: String, CodingKey {
        case inputs, outputs, nodes, constants
        case inputTypes = "input_types"
    }

    init(
        inputs: [String], outputs: [String], nodes: [(String, [String], [String])], constants: [String: [Int]]
    ) {
        self.inputs = inputs
        self.outputs = outputs
        self.nodes = nodes.map { Operation(opType: $0.0, inputs: $0.1, outputs: $0.2, attributes: [:]) }
        self.constants = constants.mapValues { Constant(type: "float32", dimensions: $0) }
    }

    func graph(named name: String) -> Graph {
        Graph(
            name: name,
            inputs: inputs.map {
                ValueInfo(
                    name: $0, elementType: inputTypes?[$0].flatMap(ElementType.init) ?? .float32, dimensions: nil)
            },
            outputs: outputs.map { ValueInfo(name: $0, elementType: .float32, dimensions: nil) },
            nodes: nodes.enumerated().map { index, node in
                Node(
                    name: "\(node.opType) \(index)", opType: node.opType, inputs: node.inputs, outputs: node.outputs,
                    attributes: node.attributes)
            },
            constants: constants.mapValues { constant in
                Self.filled(constant.type, Shape(constant.dimensions), constant.value ?? 0)
            }, opsetVersion: 17)
    }
}

extension GoldenGraph {
    /// The largest integer, which ends a Slice, is none as a Double.
    fileprivate static func filled(_ type: String, _ shape: Shape, _ value: Double) -> Tensor {
        type == "float32"
            ? Tensor(shape: shape, [Float](repeating: Float(value), count: shape.count))
            : Tensor(shape: shape, [Int64](repeating: Int64(exactly: value) ?? .max, count: shape.count))
    }
}

extension GoldenGraph.Operation: Decodable {
    init(from decoder: any Decoder) throws {
        var list = try decoder.unkeyedContainer()
        opType = try list.decode(String.self)
        inputs = try list.decode([String].self)
        outputs = try list.decode([String].self)
        let nested = try list.nestedContainer(keyedBy: AnyKey.self)
        attributes = [:]
        for key in nested.allKeys {
            if let type = try? nested.decode(String.self, forKey: key) {
                attributes[key.stringValue] = .tensor(GoldenGraph.filled(type, [], 0))
            } else if let axes = try? nested.decode([Int].self, forKey: key) {
                attributes[key.stringValue] = .ints(axes)
            } else {
                attributes[key.stringValue] = .int(try nested.decode(Int.self, forKey: key))
            }
        }
    }
}

private struct AnyKey: CodingKey {
    var stringValue: String
    var intValue: Int? { nil }

    init(stringValue: String) { self.stringValue = stringValue }

    init?(intValue: Int) { nil }
}

extension GoldenGraph.Constant: Decodable {
    init(from decoder: any Decoder) throws {
        var list = try decoder.unkeyedContainer()
        type = try list.decode(String.self)
        dimensions = try list.decode([Int].self)
        value = list.isAtEnd ? nil : try list.decode(Double.self)
    }
}

/// A graph, a config, and which tensors the reference quantizes.
struct GoldenCase: Decodable {
    enum Config: CustomStringConvertible {
        case name(String)
        case document(Data)

        var description: String {
            switch self {
            case .name(let name): name
            case .document(let data): "a config of \(data.count) bytes"
            }
        }
    }

    struct Activation: Decodable {
        var symmetric: Bool
        var bitwidth: Int
        var constraints: EncodingConstraints?

        init(from decoder: any Decoder) throws {
            var list = try decoder.unkeyedContainer()
            symmetric = try list.decode(Bool.self)
            bitwidth = try list.decode(Int.self)
            if let range = try list.decode([Double?]?.self), let min = range[0] {
                constraints = EncodingConstraints(min: min, max: range[1])
            }
        }
    }

    struct Parameter: Decodable {
        var symmetric: Bool
        var bitwidth: Int
        var axis: Int?

        init(from decoder: any Decoder) throws {
            var list = try decoder.unkeyedContainer()
            symmetric = try list.decode(Bool.self)
            bitwidth = try list.decode(Int.self)
            axis = try list.decode(Int?.self)
        }
    }

    struct Expected: Decodable {
        var activations: [String: Activation]
        var parameters: [String: Parameter]
        var shared: [[String]]
    }

    var graph: String
    var config: Config
    var expected: Expected

    enum CodingKeys: CodingKey { case graph, config, expected }

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        graph = try container.decode(String.self, forKey: .graph)
        expected = try container.decode(Expected.self, forKey: .expected)
        if let name = try? container.decode(String.self, forKey: .config) {
            config = .name(name)
        } else {
            // A config inside of the golden file is a string of JSON.
            config = .document(Data(try container.decode([String].self, forKey: .config).joined().utf8))
        }
    }
}
