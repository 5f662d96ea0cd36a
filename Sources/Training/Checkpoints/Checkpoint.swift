import Foundation
import Tensors

/// The state of training after a step: all that a later step depends on, and nothing about who computed it.
public struct Checkpoint: Sendable {
    /// Written beside the tensors.
    public struct Manifest: Codable, Equatable, Sendable {
        static let version = 1

        /// Of the form of the checkpoint.
        public var version: Int
        /// Steps taken.
        public var step: Int
        /// The epoch of the next step, from 0.
        public var epoch: Int
        /// Of the job.
        public var seed: UInt64
        /// SHA-256 in hexadecimal digits, by name: of the file of tensors, and whatever else the job wants to find
        /// unchanged, such as its own fingerprint.
        public var digests: [String: String]
        /// What the job wants to find again, such as its progress for the report; has no part in training.
        public var notes: [String: String]?

        public init(
            step: Int, epoch: Int, seed: UInt64, digests: [String: String] = [:], notes: [String: String]? = nil
        ) {
            version = Self.version
            self.step = step
            self.epoch = epoch
            self.seed = seed
            self.digests = digests
            self.notes = notes
        }
    }

    /// What is known of the checkpoint beside its tensors.
    public var manifest: Manifest
    /// float32, by name.
    public var tensors: [String: Tensor]

    private static let parameterPrefix = "parameters/"
    private static let optimizerPrefix = "optimizer/"

    /// - Parameter tensors: float32, by name.
    public init(_ manifest: Manifest, tensors: [String: Tensor]) {
        self.manifest = manifest
        self.tensors = tensors
    }

    /// The state of parameters and their optimizer. Tensors are named `parameters/NAME` and `optimizer/STATE/NAME`.
    public init(_ manifest: Manifest, layout: ParameterLayout, parameters: [Float], optimizer: Optimizer) {
        var tensors: [String: Tensor] = [:]
        for (name, tensor) in layout.tensors(of: parameters) { tensors[Self.parameterPrefix + name] = tensor }
        for (state, vector) in optimizer.state {
            for (name, tensor) in layout.tensors(of: vector) {
                tensors[Self.optimizerPrefix + state + "/" + name] = tensor
            }
        }
        self.init(manifest, tensors: tensors)
    }

    /// The parameters and the optimizer that the checkpoint was made of.
    /// - Throws: `TrainingError` (`.differentTensors`, `.lengthMismatch`) where tensors are missing, have other shapes, or
    ///   are more than the layout and the optimizer have.
    public func restored(
        layout: ParameterLayout, settings: OptimizerSettings
    ) throws(TrainingError) -> (parameters: [Float], optimizer: Optimizer) {
        let parameters = try vector(layout, prefix: Self.parameterPrefix)
        var state: [String: [Float]] = [:]
        for name in settings.stateNames {
            state[name] = try vector(layout, prefix: Self.optimizerPrefix + name + "/")
        }
        let known = Set([Self.parameterPrefix] + settings.stateNames.map { Self.optimizerPrefix + $0 + "/" })
        for name in tensors.keys.sorted() {
            let isKnown = layout.entries.contains { entry in known.contains { $0 + entry.name == name } }
            guard isKnown else { throw TrainingError(.differentTensors, key: name, expected: "none", found: "one") }
        }
        let optimizer = try Optimizer(
            settings, count: layout.count, stepCount: manifest.step, state: state)
        return (parameters, optimizer)
    }

    private func vector(_ layout: ParameterLayout, prefix: String) throws(TrainingError) -> [Float] {
        var named: [String: Tensor] = [:]
        for entry in layout.entries { named[entry.name] = tensors[prefix + entry.name] }
        return try layout.vector(of: named)
    }
}
