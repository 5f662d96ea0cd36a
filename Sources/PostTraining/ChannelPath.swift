import Graph
import Nodes
import Operators
import Tensors

/// What happens to the channels of a layer's value on the way to the next layer, through nodes with f(s x) = s f(x) for every
/// s > 0 of a channel.
struct ChannelPath {
    /// Channels of the layer where the path begins.
    let channels: Int
    /// As of `EqualizableLayer`.
    private(set) var rank: Int?
    /// Whether each channel is a block of neighbouring elements of the second axis by now, the last one.
    private(set) var isFlattened = false
    /// Whether a Relu was on the way, or what becomes one.
    private(set) var hasRelu = false
    /// Whether less of a constant in front is less of the same constant behind, where Relu cuts nothing off.
    private(set) var keepsShifts = true
    /// Indices of Clip nodes from 0 to a positive bound, which are such a node only as Relu.
    private(set) var clips: [Int] = []

    init(from layer: EqualizableLayer) {
        channels = layer.linear.outputChannels
        rank = layer.rank
    }

    /// How many inputs of a layer at the end of the path each channel is.
    /// - Returns: nil where the layer's inputs are not the path's channels.
    func block(into layer: EqualizableLayer, of graph: Graph) -> Int? {
        let inputs = layer.linear.inputChannels
        switch graph.nodes[layer.index].opType {
        case "Conv", "ConvTranspose": return rank == layer.rank && !isFlattened && inputs == channels ? 1 : nil
        default:
            guard rank == nil || rank == 2 else { return nil }
            guard isFlattened else { return inputs == channels ? 1 : nil }
            return inputs > 0 && inputs % channels == 0 ? inputs / channels : nil
        }
    }

    /// The path behind a node.
    /// - Returns: nil where the node does not hand on the scale of its channels.
    func through(_ index: Int, of graph: Graph, _ shapes: ValueShapes) -> ChannelPath? {
        let node = graph.nodes[index]
        guard node.domain.isEmpty,
            let meaning = try? KnownOperators.make(node: node, opsetVersion: graph.opsetVersion)
        else { return nil }
        var path = self
        switch meaning {
        case let reshaping as Reshaping:
            return reshaped(reshaping.kind, node, shapes)
        case let clip as Clip:
            guard let bounds = try? clip.bounds(inputs: graph.constantInputs(of: node)), bounds.minimum == 0,
                bounds.maximum > 0
            else { return nil }
            path.hasRelu = true
            if bounds.maximum < .greatestFiniteMagnitude { path.clips.append(index) }
        case let pooling as Pooling:
            guard hasSpatialAxes else { return nil }
            // Zeros of the padding that count stay zero; so does what a last window has beyond the input.
            if pooling.countsPadding, pooling.window.ceilMode || !pooling.window.padsNothing {
                path.keepsShifts = false
            }
        case is GlobalPooling:
            guard hasSpatialAxes else { return nil }
        case let pad as Pad:
            guard hasSpatialAxes, let rank, padsWithinChannels(pad, graph.constantInputs(of: node), rank: rank) else {
                return nil
            }
            path.keepsShifts = false
        case let reduce as Reduce where reduce.function == .mean || reduce.function == .max:
            guard let rank, hasSpatialAxes,
                let axes = try? reduce.axes(
                    inputs: graph.constantInputs(of: node, first: Shape([Int](repeating: 1, count: rank)))),
                !axes.isEmpty, axes.allSatisfy({ $0 >= 2 })
            else { return nil }
            if !reduce.keepsAxes { path.rank = rank - axes.count }
        default:
            switch node.opType {
            case "Relu": path.hasRelu = true
            case "LeakyRelu": path.keepsShifts = false
            case "PRelu":
                // Whatever the slopes are: each element has its own, which does not depend on it.
                guard node.inputs.count == 2, graph.constants[node.inputs[1]] != nil else { return nil }
                path.keepsShifts = false
            default: return nil
            }
        }
        return path
    }

    private var hasSpatialAxes: Bool { (rank ?? 0) > 2 && !isFlattened }

    /// Behind a node that moves no element: channels stay where the first two extents do, and become blocks where all others are
    /// put together.
    private func reshaped(_ kind: Reshaping.Kind, _ node: Node, _ shapes: ValueShapes) -> ChannelPath? {
        switch kind {
        case .identity, .dropout: return self
        default: break
        }
        guard let rank else { return nil }
        var path = self
        if let before = shapes[node.inputs[0]], let after = shapes[node.outputs[0]] {
            guard before.rank == rank, after.rank >= 2, after[0] == before[0] else { return nil }
            path.rank = after.rank
            if after[1] == before[1] { return path }
            guard after.rank == 2, !isFlattened else { return nil }
            path.isFlattened = true
            return path
        }
        guard case .flatten(axis: 1) = kind else { return nil }
        if rank > 2 { (path.rank, path.isFlattened) = (2, true) }
        return path
    }

    private func padsWithinChannels(_ pad: Pad, _ inputs: [OperatorInput?], rank: Int) -> Bool {
        var inputs = inputs
        let shape = Shape([Int](repeating: 1, count: rank))
        inputs[0] = OperatorInput(name: "", type: ValueType(.float32, shape), constant: nil)
        guard let (begin, end) = try? pad.amounts(inputs: inputs), let value = try? pad.value(inputs: inputs) else {
            return false
        }
        return (begin.prefix(2) + end.prefix(2)).allSatisfy { $0 == 0 } && (pad.mode != .constant || value == 0)
    }
}

/// Shapes of a graph's values for inputs as they are declared, with any number of samples; found where they are asked for.
final class ValueShapes {
    private let graph: Graph
    private lazy var types = Self.types(of: graph)

    init(_ graph: Graph) { self.graph = graph }

    /// Nil where the declarations leave it open.
    subscript(value: String) -> Shape? { types[value]?.shape }

    private static func types(of graph: Graph) -> [String: ValueType] {
        var shapes: [String: Shape] = [:]
        for input in graph.inputs {
            guard let dimensions = input.dimensions else { return [:] }
            var extents: [Int] = []
            for (axis, dimension) in dimensions.enumerated() {
                switch dimension {
                case .fixed(let extent): extents.append(extent)
                // Two samples, so that no axis of extent one is taken for theirs.
                default:
                    guard axis == 0 else { return [:] }
                    extents.append(2)
                }
            }
            shapes[input.name] = Shape(extents)
        }
        return (try? graph.stagedSpecialization(inputShapes: shapes).types) ?? [:]
    }
}

extension Graph {
    /// A node's inputs as far as they are constants.
    /// - Parameter first: the shape of the first input; nil where it does not matter.
    fileprivate func constantInputs(of node: Node, first: Shape? = nil) -> [OperatorInput?] {
        node.inputs.enumerated().map { position, name in
            if position == 0, let first {
                return OperatorInput(name: name, type: ValueType(.float32, first), constant: nil)
            }
            guard let constant = constants[name] else { return nil }
            return OperatorInput(
                name: name, type: ValueType(constant.elementType, constant.shape), constant: constant)
        }
    }
}
