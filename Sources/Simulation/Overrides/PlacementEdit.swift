import Graph
import Nodes
import Operators
import Quantization

/// The quantizers of a placement while what the user wants is done to them.
struct PlacementEdit {
    let graph: PlacementGraph
    private let placement: QuantizerPlacement
    /// By tensor.
    private(set) var quantizers: [String: PlacedQuantizer]
    private(set) var steps: [String: [PlacementStep]]
    /// Tensors that share a quantizer, by the tensor whose it is.
    let groups: [String: [String]]
    /// Tensors with a quantizer, on or off, in the order of the placement.
    let tensors: [String]

    init(_ placement: QuantizerPlacement, in graph: Graph) {
        self.placement = placement
        self.graph = PlacementGraph(graph)
        let all = placement.activations + placement.parameters
        quantizers = Dictionary(all.map { ($0.tensor, $0) }, uniquingKeysWith: { first, _ in first })
        steps = placement.steps
        groups = Dictionary(grouping: all, by: \.group).mapValues { $0.map(\.tensor) }
        tensors = all.map(\.tensor)
    }

    var result: QuantizerPlacement {
        QuantizerPlacement(
            activations: placement.activations.compactMap { quantizers[$0.tensor] },
            parameters: placement.parameters.compactMap { quantizers[$0.tensor] }, steps: steps)
    }

    /// Changes the quantizer of one tensor.
    mutating func set(_ change: PlacementStep.Change, of tensor: String, by rule: String, at node: Node? = nil) {
        quantizers[tensor]?.apply(change)
        steps[tensor, default: []].append(PlacementStep(change: change, rule: rule, node: node?.name))
    }

    /// Changes the quantizer of a tensor and of all that share it.
    mutating func setShared(_ change: PlacementStep.Change, of tensor: String, by rule: String, at node: Node? = nil) {
        for member in sharing(tensor) { set(change, of: member, by: rule, at: node) }
    }

    /// Tensors that have the quantizer of this one, itself among them.
    func sharing(_ tensor: String) -> [String] { quantizers[tensor].flatMap { groups[$0.group] } ?? [] }

    func isEnabled(_ tensor: String) -> Bool { quantizers[tensor]?.enabled == true }

    /// The tensor with an enabled quantizer whose grid this one is on.
    func source(of tensor: String) -> String? {
        graph.gridSource(of: tensor) { isEnabled($0) ? $0 : nil }?.quantizer
    }

    /// Refuses the name of a tensor, telling on whose grid it lies where it has no quantizer.
    func unknown(_ name: String, at path: String) -> SimulationError {
        let expected =
            source(of: name).map { "a tensor with a quantizer of its own (this one is on the grid of \"\($0)\")" }
            ?? "a tensor of the model with a quantizer, on or off"
        return SimulationError(.nothingSelected, path: path, expected: expected, found: name, candidates: tensors)
    }
}
