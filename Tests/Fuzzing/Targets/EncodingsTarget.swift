import Foundation
import Quantization

/// Encodings files of all versions.
final class EncodingsTarget: FuzzTarget {
    func run(_ input: Data) throws {
        guard let file = try refusing(with: QuantizationError.self, { try EncodingsFile.read(input, file: "input") })
        else { return }
        for tensor in [file.activations, file.parameters, file.tensors].flatMap(\.values) {
            for encoding in tensor.encodings {
                let least = encoding.delta * Double(encoding.offset)
                guard encoding.min.isFinite, encoding.max.isFinite,
                    abs(encoding.min - least) <= encoding.delta / 2 + abs(least) * 0x1p-22,
                    (1...(1 << encoding.bitwidth) - 1).contains(encoding.steps), encoding.min <= 0
                else { throw FuzzFinding("the encoding contradicts itself: \(encoding)") }
            }
        }
        // A file of version 0.6.1 cannot hold the blocks of 1.0.0, and 2.0.0 wants axes, which the others lack.
        let versions: [EncodingsFile.Version] = file.tensors.isEmpty ? [.v1_0_0] : [.v2_0_0]
        for version in versions {
            guard
                let again = try refusing(
                    with: QuantizationError.self,
                    { try EncodingsFile.read(file.write(version: version), file: "written") })
            else { throw FuzzFinding("what was read is refused once written as \(version.rawValue)") }
            let names = [\EncodingsFile.activations, \.parameters, \.tensors].map {
                (again[keyPath: $0].keys, file[keyPath: $0].keys)
            }
            guard names.allSatisfy({ $0.0.sorted() == $0.1.sorted() }) else {
                throw FuzzFinding("other tensors once written as \(version.rawValue)")
            }
        }
    }
}
