import Datasets
import Execution
import Foundation
import JobFile
import Support

extension JobFile {
    /// What all workers compute with. `auto` (nil) is the widest that the coordinator's machine has: workers come later, and
    /// those that lack it are refused.
    /// - Throws: `ExecutionError(.missingInstructionSet)` where the machine has none that jobs can be pinned to.
    func pinnedInstructionSet() throws -> InstructionSet {
        guard let pinned = instructionSet ?? ComputeLibrary.supportedInstructionSets.last else {
            throw ExecutionError(.missingInstructionSet, expected: InstructionSet.avx2.rawValue, found: "none")
        }
        return pinned
    }

    /// Digest of everything that the job's results depend on: the job, what it is computed with, the model as workers compute
    /// it, the config where it is a file, encodings files, and the data: names, sizes and a spread of the content.
    func fingerprint(
        _ preparation: ModelPreparation, sources: [DatasetSource], instructionSet: InstructionSet
    ) throws -> Data {
        var bytes = try stableJSON()
        bytes.append(contentsOf: "\(ComputeLibrary.version) \(instructionSet.rawValue)\n".utf8)
        // The file of a packed model has the digest of its tensors.
        bytes.append(SHA256Digest(of: preparation.artifact.file).bytes)
        if let equalization = preparation.equalization {
            bytes.append(SHA256Digest(of: equalization.artifact.file).bytes)
        }
        if let trained = preparation.loss?.artifact { bytes.append(SHA256Digest(of: trained.file).bytes) }
        if case .path(let path) = quantization.config { bytes.append(try readFile(url(for: path))) }
        for entry in quantization.encodings ?? [] {
            bytes.append(SHA256Digest(of: try readFile(url(for: entry.file))).bytes)
        }
        for source in sources { bytes.append(try source.contentDigest().bytes) }
        return SHA256Digest(of: bytes).bytes
    }
}
