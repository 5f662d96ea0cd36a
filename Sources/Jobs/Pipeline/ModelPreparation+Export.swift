import Cluster
import Foundation
import ONNX
import Quantization
import Simulation
import Support
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
                scheme: job.quantization.schemes.activations.nameInEncodingsFile))
    }

    /// The model with QuantizeLinear and DequantizeLinear nodes, its weights stored as integers.
    func quantizedModel(_ activations: [String: TensorEncodings]) throws -> ONNXFile {
        try QDQExport.graph(graph, activations: activations, parameters: parameterEncodings).exported(over: original)
    }

    /// SHA-256 over the graph's constants: names in order, element types, shapes and the digests of their bytes. (Digests of
    /// digests, so that the weights need not be in memory a second time.)
    var weightsDigest: SHA256Digest {
        var text = ""
        for (name, tensor) in graph.constants.sorted(by: { $0.key < $1.key }) {
            let digest = tensor.withUnsafeBytes { bytes in
                guard let start = bytes.baseAddress else { return SHA256Digest(of: Data()) }
                return SHA256Digest(
                    of: Data(
                        bytesNoCopy: UnsafeMutableRawPointer(mutating: start), count: bytes.count, deallocator: .none))
            }
            text += "\(name) \(tensor.elementType) \(tensor.shape) \(digest)\n"
        }
        return SHA256Digest(of: Data(text.utf8))
    }
}

extension JobFile.EncodingsVersion {
    var fileVersion: EncodingsFile.Version? { EncodingsFile.Version(rawValue: rawValue) }
}
