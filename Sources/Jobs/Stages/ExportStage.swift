import Foundation
import Graph
import JobFile
import Quantization
import Reports
import Simulation
import Support
import Tensors

/// Writes the model and its encodings.
struct ExportStage {
    let job: JobFile
    let output: OutputFolder

    /// - Returns: the digests of what was written: of the first encodings file that the job names, and of the weights.
    /// - Throws: the writing error of the file that cannot be written.
    func run(_ model: QuantizedModel) throws -> Report.Digest {
        let preparation = model.preparation
        try preparation.graph.exported(over: preparation.original).write(to: output.model)
        let file = encodingsFile(model)
        var digest: SHA256Digest?
        for (index, version) in job.export.encodings.enumerated() {
            let data = try file.write(version: version)
            if index == 0 {
                try writeAtomically(data, to: output.encodings)
                digest = SHA256Digest(of: data)
            }
            try writeAtomically(data, to: output.encodings(version))
        }
        if job.export.onnxQDQ {
            // With QuantizeLinear and DequantizeLinear nodes, its weights stored as integers.
            try QDQExport.graph(
                preparation.graph, activations: model.activations, parameters: preparation.parameterEncodings
            ).exported(over: preparation.original).write(to: output.quantizedModel)
        }
        return Report.Digest(encodings: digest?.description, weights: preparation.graph.weightsDigest.description)
    }

    private func encodingsFile(_ model: QuantizedModel) -> EncodingsFile {
        let parameters = model.preparation.parameterEncodings
        return EncodingsFile(
            activations: model.activations, parameters: parameters,
            quantizerArguments: EncodingsFile.QuantizerArguments(
                activationBitwidth: job.quantization.activationBitwidth,
                parameterBitwidth: job.quantization.parameterBitwidth,
                isSymmetric: parameters.values.allSatisfy { $0.encodings.allSatisfy(\.symmetric) },
                perChannelQuantization: parameters.values.contains { $0.axis != nil },
                scheme: job.quantization.schemes.activations.nameInEncodingsFile))
    }
}

extension Graph {
    /// SHA-256 over the constants: names in order, element types, shapes and the digests of their bytes. (Digests of digests, so
    /// that the weights need not be in memory a second time.)
    fileprivate var weightsDigest: SHA256Digest {
        var text = ""
        for (name, tensor) in constants.sorted(by: { $0.key < $1.key }) {
            let digest = tensor.withUnsafeBytes { SHA256Digest(ofMapped: $0) }
            text += "\(name) \(tensor.elementType) \(tensor.shape) \(digest)\n"
        }
        return SHA256Digest(of: Data(text.utf8))
    }
}
