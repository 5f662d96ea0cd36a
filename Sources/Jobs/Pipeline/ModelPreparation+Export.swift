import Cluster
import Foundation
import Quantization
import Simulation
import Tensors

extension ModelPreparation {
    /// Encodings of everything that is constant: parameters, and constants that have activation quantizers.
    func constantEncodings(_ activations: [String: TensorEncodings]) -> [String: TensorEncodings] {
        let constants = activations.filter { graph.constants[$0.key] != nil }
        return parameterEncodings.merging(constants) { parameter, _ in parameter }
    }

    /// Encodings of what changes with the sample.
    func valueEncodings(_ activations: [String: TensorEncodings]) -> [String: TensorEncodings] {
        activations.filter { graph.constants[$0.key] == nil }
    }

    func encodingsFile(_ activations: [String: TensorEncodings], _ job: JobFile) -> EncodingsFile {
        EncodingsFile(
            activations: activations, parameters: parameterEncodings,
            quantizerArguments: EncodingsFile.QuantizerArguments(
                activationBitwidth: job.quantization.activationBitwidth,
                parameterBitwidth: job.quantization.parameterBitwidth,
                isSymmetric: parameterEncodings.values.allSatisfy { $0.encodings.allSatisfy(\.symmetric) },
                perChannelQuantization: parameterEncodings.values.contains { $0.axis != nil },
                scheme: job.quantization.simulationScheme.nameInEncodingsFile))
    }

    /// SHA-256 over the graph's constants: names in order, shapes, element types and bytes.
    var weightsDigest: SHA256Digest {
        var bytes = Data()
        for (name, tensor) in graph.constants.sorted(by: { $0.key < $1.key }) {
            bytes.append(contentsOf: "\(name) \(tensor.elementType) \(tensor.shape)\n".utf8)
            tensor.withUnsafeBytes { bytes.append(contentsOf: $0) }
        }
        return SHA256Digest(of: bytes)
    }
}

extension JobFile.Quantization {
    /// The scheme as the simulation knows it; `checkSupported` has refused the others.
    var simulationScheme: Quantization.Scheme {
        Quantization.Scheme(rawValue: scheme.rawValue) ?? .tfEnhanced
    }
}

extension JobFile.EncodingsVersion {
    var fileVersion: EncodingsFile.Version? { EncodingsFile.Version(rawValue: rawValue) }
}
