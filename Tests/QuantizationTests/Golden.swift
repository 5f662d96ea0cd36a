import Foundation

/// A golden file of this module; its generator lies beside it.
func golden<Value: Decodable>(_ name: String, as type: Value.Type = Value.self) throws -> Value {
    let url = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Golden/Quantization/\(name)")
    return try JSONDecoder().decode(Value.self, from: Data(contentsOf: url))
}
