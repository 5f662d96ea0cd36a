import Graph
import Nodes
import Operators
import Tensors

/// The graph as the placement rules look at it: who makes and who takes each tensor, which constants are parameters, and
/// which tensors hold floating-point values.
struct PlacementGraph {
    /// A constant input of a layer.
    struct Parameter {
        var tensor: String
        /// `weight`, `bias`, ...
        var kind: String
        /// Of the one encoding per channel, where there is one; nil where the op has no such axis.
        var channelAxis: Int?
        /// The axis of the input channels, which blocks cut; nil where there is none.
        var blockAxis: Int?
    }

    let graph: Graph
    /// Who makes and who takes each tensor.
    let uses: ValueUses
    /// Of each node.
    let parameters: [[Parameter]]
    /// Names of all parameters.
    let parameterNames: Set<String>
    /// Tensors that can have an activation quantizer: inputs first, then constants and outputs in the order of nodes.
    let activations: [String]
    private let activationNames: Set<String>
    private let floats: FloatTensors

    init(_ graph: Graph) {
        self.graph = graph
        let uses = ValueUses(graph)
        self.uses = uses
        parameters = graph.nodes.map { Self.parameters(of: $0, in: graph) }
        parameterNames = Set(parameters.joined().map(\.tensor))

        let floats = FloatTensors(graph)
        self.floats = floats
        var activations = graph.inputs.map(\.name)
        for node in graph.nodes {
            let constants = node.inputs.filter { graph.constants[$0] != nil }
            activations += constants + node.outputs
        }
        var seen: Set<String> = []
        for name in activations where !name.isEmpty && !parameterNames.contains(name) && floats.contains(name) {
            let consumers = (uses.consumers[name] ?? []).map { graph.nodes[$0] }
            let unquantized = consumers.contains { node in
                OperatorTraits.withUnquantizedOperands.contains(node.opType) && node.inputs.first != name
            }
            let made = uses.producers[name].map { graph.nodes[$0].opType }.map {
                OperatorTraits.withoutOutputQuantizer.contains($0) || $0 == "DequantizeLinear"
            }
            // What the model itself rounds, in front and behind.
            let isRounded = !consumers.isEmpty && consumers.allSatisfy { $0.opType == "QuantizeLinear" }
            if !unquantized && made != true && !isRounded { seen.insert(name) }
        }
        activationNames = seen
        self.activations = activations.filter { seen.remove($0) != nil }
    }

    func holdsFloats(_ name: String) -> Bool { floats.contains(name) }

    func isActivation(_ name: String) -> Bool { activationNames.contains(name) }

    func inputActivations(of node: Int) -> [String] { graph.nodes[node].inputs.filter(isActivation) }

    func outputActivations(of node: Int) -> [String] { graph.nodes[node].outputs.filter(isActivation) }

    /// Nodes that take an output of the node, each once.
    func followers(of node: Int) -> [Int] {
        Array(Set(graph.nodes[node].outputs.flatMap { uses.consumers[$0] ?? [] })).sorted()
    }

    /// Goes from a tensor up through ops that preserve grids, and casts between floating-point types, to the first tensor for which `found` has something.
    /// - Returns: what that is, and the nodes on the way; nil where the way ends before.
    func gridSource<Found>(of tensor: String, where found: (String) -> Found?) -> (quantizer: Found, path: [Int])? {
        var name = tensor
        var path: [Int] = []
        while true {
            if let found = found(name) { return (found, path) }
            guard let producer = uses.producers[name] else { return nil }
            let node = graph.nodes[producer]
            guard let input = node.inputs.first,
                OperatorTraits.gridPreserving.contains(node.opType)
                    || node.opType == "Cast" && holdsFloats(input) && holdsFloats(name)
            else { return nil }
            path.append(producer)
            name = input
        }
    }

    private static func parameters(of node: Node, in graph: Graph) -> [Parameter] {
        OperatorTraits.parameters(of: node.opType).compactMap { kind, input in
            guard input < node.inputs.count, let constant = graph.constants[node.inputs[input]],
                constant.elementType.isFloatingPoint
            else { return nil }
            let axis = ChannelAxis.of(node, rank: constant.shape.rank)
            return Parameter(
                tensor: node.inputs[input], kind: kind, channelAxis: axis,
                blockAxis: ChannelAxis.ofInput(node, rank: constant.shape.rank))
        }
    }
}
