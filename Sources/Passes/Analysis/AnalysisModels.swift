import Execution
import Graph
import Quantization
import Synchronization
import Tensors

/// The variants of a model, as the lanes of a worker share them. Every constant exists twice at most, as it is and rounded,
/// however many variants there are; a bias as often as it has grids.
final class AnalysisModels: Sendable {
    let task: Analysis
    let reference: SharedModel
    private let graph: Graph
    private var parameters: [String: TensorEncodings] { task.pass.parameters }
    private let rounded: [String: Tensor]
    /// Biases by name, as far as variants have come up.
    private let biases = Mutex<[String: [Tensor]]>([:])

    init(_ task: Analysis, _ graph: Graph) throws {
        self.task = task
        self.graph = graph
        reference = SharedModel(graph)
        let parameters = task.pass.parameters
        rounded = try graph.simulatingParameters(parameters).constants.filter { parameters[$0.key] != nil }
    }

    /// The model with the constants of a variant; the reference itself where the variant rounds no constant.
    func model(_ variant: AnalysisVariant) -> SharedModel {
        let tensors = task.tensors(in: variant)
        let constants = parameters.filter { tensors.contains($0.key) }
        guard !constants.isEmpty else { return reference }
        let activations = task.activations.filter { tensors.contains($0.key) }
        var simulated = graph.simulatingBiases(constants.merging(activations) { $1 })
        for (name, constant) in simulated.constants where graph.constants[name]?.identity != constant.identity {
            simulated.constants[name] = known(constant, name)
        }
        for name in constants.keys { simulated.constants[name] = rounded[name] ?? simulated.constants[name] }
        return SharedModel(simulated, weights: reference.weights)
    }

    /// The one with the same bytes that was there first: what is laid out for primitives is kept by identity.
    private func known(_ bias: Tensor, _ name: String) -> Tensor {
        biases.withLock { biases in
            if let known = biases[name]?.first(where: { $0 == bias }) { return known }
            biases[name, default: []].append(bias)
            return bias
        }
    }
}
