import Foundation
import Tensors

/// A file that is one sample: an image, or an `.npz` whose arrays have no axis of samples.
enum SampleFile {
    static func isNamedAsImage(_ name: String) -> Bool { hasExtension(name, ["jpg", "jpeg", "png"]) }

    static func isNamedAsArrays(_ name: String) -> Bool { hasExtension(name, ["npz"]) }

    private static func hasExtension(_ name: String, _ extensions: [String]) -> Bool {
        guard let dot = name.lastIndex(of: ".") else { return false }
        return extensions.contains(name[name.index(after: dot)...].lowercased())
    }

    /// The file as a sample. A file that has gone or cannot be read is a bad sample: the others are not affected.
    /// - Parameter label: of the folder; an `.npz` may hold its own.
    static func sample(path: String, key: String, source: String, label: Int?) throws -> Sample {
        let data: Data
        do {
            let file = try BufferedFile(path: path)
            guard file.size <= SampleLimits.bytes else {
                throw DatasetError(
                    .sampleTooLarge, expected: "\(SampleLimits.bytes) bytes", found: "\(file.size) bytes")
            }
            data = try file.bytes(at: 0, count: file.size)
        } catch let error as DatasetError {
            var error = error.at(file: source, key: key)
            if !error.isBadSample { error.code = .missingContent }
            throw error
        }
        guard isNamedAsArrays(path) else {
            return Sample(key: key, source: source, content: .image(data), label: label)
        }
        let (arrays, own) = try arrays(ofArchive: data, key: key, source: source)
        return Sample(key: key, source: source, content: .arrays(arrays), label: own ?? label)
    }

    /// The arrays of an `.npz` that is one sample, and its label, where an array named as labels holds one integer.
    /// - Throws: `DatasetError` for a bad sample.
    static func arrays(
        ofArchive data: Data, key: String, source: String
    ) throws -> (arrays: [String: Tensor], label: Int?) {
        let members: [(name: String, tensor: Tensor)]
        do {
            members = try NPZ.decode(data, limit: SampleLimits.bytes)
        } catch let error as TensorFileError {
            throw DatasetError(
                error.code == .tooLarge ? .sampleTooLarge : .corruptArray, file: source, key: key,
                expected: error.expected, found: "\(error.member): \(error.code.rawValue) \(error.found)")
        }
        var arrays = Dictionary(uniqueKeysWithValues: members)
        guard let name = NPZSampleForm.labelNames.first(where: { arrays[$0] != nil }), let tensor = arrays[name] else {
            return (arrays, nil)
        }
        guard let label = try tensor.label(of: key, in: source) else { return (arrays, nil) }
        arrays[name] = nil
        guard !arrays.isEmpty else {
            throw DatasetError(.missingContent, file: source, key: key, expected: "arrays", found: "a label")
        }
        return (arrays, label)
    }
}

extension Tensor {
    /// The one integer of a tensor; nil where it holds something else.
    /// - Throws: `DatasetError(.invalidLabel)` for one beyond 64 bits.
    func label(of key: String, in file: String) throws -> Int? {
        guard count == 1 else { return nil }
        func value<Element: FixedWidthInteger & BitwiseCopyable>(_: Element.Type) throws -> Int {
            let element = withUnsafeBytes { $0.loadUnaligned(as: Element.self) }
            guard let label = Int(exactly: element) else {
                throw DatasetError(.invalidLabel, file: file, key: key, expected: "<= \(Int.max)", found: "\(element)")
            }
            return label
        }
        return switch elementType {
        case .int8: try value(Int8.self)
        case .int16: try value(Int16.self)
        case .int32: try value(Int32.self)
        case .int64: try value(Int64.self)
        case .uint8: try value(UInt8.self)
        case .uint16: try value(UInt16.self)
        case .uint32: try value(UInt32.self)
        case .uint64: try value(UInt64.self)
        case .float16, .bfloat16, .float32, .float64, .bool, .int4, .uint4: nil
        }
    }
}
