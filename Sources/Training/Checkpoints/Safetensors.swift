import Foundation
import Support
import Tensors

/// Safetensors files of float32 tensors.
public enum Safetensors {
    /// Writes a file that must not exist, and has it reach the disk. The same tensors give the same bytes.
    /// - Parameter tensors: float32, in any order.
    /// - Returns: the SHA-256 of the file, in hexadecimal digits.
    /// - Throws: `TrainingError` (`.duplicateName`, `.unsupportedElementType`, `.cannotWrite`).
    @discardableResult
    public static func write(
        _ tensors: [(name: String, tensor: Tensor)], metadata: [String: String] = [:], to url: URL
    ) throws(TrainingError) -> String {
        var byName: [String: Tensor] = [:]
        for (name, tensor) in tensors {
            guard tensor.elementType == .float32 else {
                throw TrainingError(
                    .unsupportedElementType, file: url.path, key: name, expected: "float32",
                    found: tensor.elementType.rawValue)
            }
            // The header's own member must not be taken for a tensor.
            guard name != "__metadata__", byName.updateValue(tensor, forKey: name) == nil else {
                throw TrainingError(.duplicateName, file: url.path, key: name)
            }
        }
        let header = SafetensorsHeader(tensors.map { ($0.name, $0.tensor.shape) }, metadata: metadata)
        do throws(FileError) {
            return try write(header, byName, to: url).description
        } catch {
            throw TrainingError(error)
        }
    }

    /// - Returns: the digest of the file.
    private static func write(
        _ header: SafetensorsHeader, _ tensors: [String: Tensor], to url: URL
    ) throws(FileError) -> SHA256Digest {
        let file = try DurableFile(creating: url)
        var hasher = SHA256Hasher()
        func write(_ bytes: UnsafeRawBufferPointer) -> Result<Void, FileError> {
            hasher.update(bytes)
            return Result { () throws(FileError) in try file.write(bytes) }
        }
        try header.encoded().withUnsafeBytes(write).get()
        for entry in header.entries { try tensors[entry.name]?.withUnsafeBytes(write).get() }
        try file.flush()
        return hasher.digest()
    }

    /// The contents of a file.
    public struct Contents: Sendable {
        /// By name; views of the file's bytes.
        public var tensors: [String: Tensor]
        /// The header's own texts, by name.
        public var metadata: [String: String]
        /// The SHA-256 of the file, in hexadecimal digits.
        public var digest: String
    }

    /// Reads a file, in memory of the file's size.
    /// - Throws: `TrainingError` that names the file, for any bytes that are not a safetensors file of float32 tensors.
    public static func read(_ url: URL) throws(TrainingError) -> Contents {
        do {
            return try decode(storage(of: url))
        } catch {
            var error = error
            error.file = url.path
            throw error
        }
    }

    /// Reads the bytes of a file. Tensors are views of the storage.
    static func decode(_ storage: TensorStorage) throws(TrainingError) -> Contents {
        let bytes = storage.bytes
        guard bytes.count >= SafetensorsHeader.lengthBytes else {
            throw TrainingError(
                .truncated, key: "header", expected: "\(SafetensorsHeader.lengthBytes)", found: "\(bytes.count)")
        }
        let length = UInt64(littleEndian: bytes.loadUnaligned(as: UInt64.self))
        let start = SafetensorsHeader.lengthBytes
        guard length <= UInt64(SafetensorsHeader.maximumBytes) else {
            throw TrainingError(
                .malformed, key: "header", expected: "<= \(SafetensorsHeader.maximumBytes) bytes", found: "\(length)")
        }
        guard length <= UInt64(bytes.count - start) else {
            throw TrainingError(.truncated, key: "header", expected: "\(length)", found: "\(bytes.count - start)")
        }
        let dataStart = start + Int(length)
        let header = try SafetensorsHeader(
            decoding: Data(bytes[start..<dataStart]), dataBytes: bytes.count - dataStart)
        var tensors: [String: Tensor] = [:]
        for entry in header.entries {
            tensors[entry.name] = Tensor(
                shape: entry.shape, elementType: .float32, storage: storage,
                byteOffset: dataStart + entry.range.lowerBound)
        }
        return Contents(tensors: tensors, metadata: header.metadata, digest: SHA256Digest(of: bytes).description)
    }

    private static func unreadable(_ url: URL) -> TrainingError {
        TrainingError(.cannotOpen, file: url.path, found: String(cString: strerror(errno)))
    }

    private static func storage(of url: URL) throws(TrainingError) -> TensorStorage {
        let descriptor: Int32
        do throws(UnreadableFile) {
            descriptor = try RegularFile.open(url.path)
        } catch {
            throw TrainingError(.cannotOpen, file: url.path, found: error.reason)
        }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw unreadable(url) }
        let size = Int(status.st_size)
        return try Result {
            try TensorStorage(byteCount: size) { target in
                var done = 0
                while done < size {
                    let count = pread(descriptor, target.baseAddress.map { $0 + done }, size - done, off_t(done))
                    guard count > 0 else {
                        if count < 0 && errno == EINTR { continue }
                        if count < 0 { throw unreadable(url) }
                        throw TrainingError(.truncated, expected: "\(size)", found: "\(done)")
                    }
                    done += count
                }
            }
        }.mapError { $0 as? TrainingError ?? TrainingError(.cannotOpen, found: "\($0)") }.get()
    }
}

/// The header of a safetensors file: 8 bytes of length, then a JSON object of the tensors' element types, shapes and
/// places in the bytes that follow (https://huggingface.co/docs/safetensors). Only float32 is read and written here.
struct SafetensorsHeader: Equatable {
    struct Entry: Equatable {
        var name: String
        var shape: Shape
        /// Bytes behind the header.
        var range: Range<Int>
    }

    /// What the format itself allows.
    static let maximumBytes = 100_000_000
    static let lengthBytes = 8
    private static let maximumRank = 64
    private static let metadataKey = "__metadata__"

    /// In the order of their bytes, which follow each other without gaps.
    var entries: [Entry]
    var metadata: [String: String]

    /// Bytes of all tensors.
    var dataBytes: Int { entries.last?.range.upperBound ?? 0 }

    /// Lays tensors out in ascending order of their names' UTF-8 bytes.
    init(_ shapes: [(name: String, shape: Shape)], metadata: [String: String]) {
        var start = 0
        entries = shapes.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }.map { name, shape in
            defer { start += 4 * shape.count }
            return Entry(name: name, shape: shape, range: start..<start + 4 * shape.count)
        }
        self.metadata = metadata
    }

    /// The length and the header, filled up with spaces so that the tensors are aligned to 8 bytes.
    func encoded() -> Data {
        var members: [String] = []
        if !metadata.isEmpty {
            let pairs = metadata.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
                .map { "\(Self.quoted($0.key)):\(Self.quoted($0.value))" }
            members.append("\"\(Self.metadataKey)\":{\(pairs.joined(separator: ","))}")
        }
        for entry in entries {
            let extents = entry.shape.dimensions.map(String.init).joined(separator: ",")
            let offsets = "\(entry.range.lowerBound),\(entry.range.upperBound)"
            members.append(
                "\(Self.quoted(entry.name)):{\"dtype\":\"F32\",\"shape\":[\(extents)],\"data_offsets\":[\(offsets)]}")
        }
        var text = Data("{\(members.joined(separator: ","))}".utf8)
        text.append(contentsOf: [UInt8](repeating: 0x20, count: (8 - text.count % 8) % 8))
        return withUnsafeBytes(of: UInt64(text.count).littleEndian) { Data($0) } + text
    }

    /// Reads the JSON of a header.
    /// - Parameter dataBytes: the bytes that the file has behind the header.
    /// - Throws: `TrainingError` without file (`.malformed`, `.unsupportedElementType`, `.truncated`).
    init(decoding json: Data, dataBytes: Int) throws(TrainingError) {
        // The format wants it, and it keeps a decoder from taking anything else for JSON.
        guard json.first == UInt8(ascii: "{") else {
            throw TrainingError(.malformed, key: "header", expected: "{", found: json.first.map { "byte \($0)" })
        }
        let raw: RawHeader
        do {
            raw = try JSONDecoder().decode(RawHeader.self, from: json)
        } catch {
            throw TrainingError(.malformed, key: "header", expected: "JSON of tensors", found: "\(json.count) bytes")
        }
        var entries: [Entry] = []
        for (name, tensor) in raw.tensors {
            entries.append(try Self.entry(name, tensor))
        }
        // Empty tensors may share a place; they come before the tensor that has bytes there.
        entries.sort {
            ($0.range.lowerBound, $0.range.upperBound) == ($1.range.lowerBound, $1.range.upperBound)
                ? $0.name.utf8.lexicographicallyPrecedes($1.name.utf8)
                : ($0.range.lowerBound, $0.range.upperBound) < ($1.range.lowerBound, $1.range.upperBound)
        }
        var end = 0
        for entry in entries {
            guard entry.range.lowerBound == end else {
                throw TrainingError(
                    .malformed, key: entry.name, expected: "bytes from \(end)", found: "\(entry.range.lowerBound)")
            }
            end = entry.range.upperBound
        }
        guard end == dataBytes else {
            throw TrainingError(
                end > dataBytes ? .truncated : .malformed, key: "tensors", expected: "\(end)", found: "\(dataBytes)")
        }
        self.entries = entries
        metadata = raw.metadata
    }

    private static func entry(_ name: String, _ raw: RawHeader.Tensor) throws(TrainingError) -> Entry {
        guard raw.dtype == "F32" else {
            throw TrainingError(.unsupportedElementType, key: name, expected: "F32", found: raw.dtype)
        }
        // The product is checked without zeros, so that no order of multiplication overflows later.
        var product = 4
        for extent in raw.shape {
            let (next, overflow) = product.multipliedReportingOverflow(by: max(extent, 1))
            guard extent >= 0, !overflow, raw.shape.count <= maximumRank else {
                throw TrainingError(.malformed, key: name, expected: "a shape", found: "\(raw.shape.prefix(8))")
            }
            product = next
        }
        let shape = Shape(raw.shape)
        guard raw.offsets.count == 2, raw.offsets[0] >= 0, raw.offsets[1] >= raw.offsets[0],
            raw.offsets[1] - raw.offsets[0] == 4 * shape.count
        else {
            throw TrainingError(
                .malformed, key: name, expected: "\(4 * shape.count) bytes for \(shape)",
                found: "data_offsets \(raw.offsets.prefix(3))")
        }
        return Entry(name: name, shape: shape, range: raw.offsets[0]..<raw.offsets[1])
    }

    private static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case _ where scalar.value < 0x20:
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}

/// The JSON of a header as it stands.
private struct RawHeader: Decodable {
    struct Tensor: Decodable {
        var dtype: String
        var shape: [Int]
        var offsets: [Int]

        enum CodingKeys: String, CodingKey {
            case dtype, shape
            case offsets = "data_offsets"
        }
    }

    private struct Name: CodingKey {
        var stringValue: String
        var intValue: Int? { nil }

        init(stringValue: String) { self.stringValue = stringValue }
        init?(intValue: Int) { nil }
    }

    var tensors: [(String, Tensor)] = []
    var metadata: [String: String] = [:]

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Name.self)
        for name in container.allKeys {
            if name.stringValue == "__metadata__" {
                metadata = try container.decode([String: String].self, forKey: name)
            } else {
                tensors.append((name.stringValue, try container.decode(Tensor.self, forKey: name)))
            }
        }
    }
}
