import Foundation

extension Encodable {
    /// JSON whose keys are sorted, so that equal values are equal bytes: what digests are taken of, and what travels.
    /// - Throws: `EncodingError`, as for a number that is not finite.
    package func stableJSON() throws -> Data {
        try encoded([.sortedKeys])
    }

    /// As `stableJSON`, laid out over lines for people, the last of which ends too: what files hold.
    /// - Throws: `EncodingError`, as for a number that is not finite.
    package func stableJSONFile() throws -> Data {
        try encoded([.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]) + Data("\n".utf8)
    }

    private func encoded(_ formatting: JSONEncoder.OutputFormatting) throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = formatting
        return try encoder.encode(self)
    }
}
