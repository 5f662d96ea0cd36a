import Foundation
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
        let file = try DurableFile(creating: url)
        try header.encoded().withUnsafeBytes { bytes in
            Result { () throws(TrainingError) in try file.write(bytes) }
        }.get()
        for entry in header.entries {
            try byName[entry.name]?.withUnsafeBytes { bytes in
                Result { () throws(TrainingError) in try file.write(bytes) }
            }.get()
        }
        return try file.finish()
    }

    /// The contents of a file.
    public struct Contents: Sendable {
        public var tensors: [String: Tensor]
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
        return Contents(tensors: tensors, metadata: header.metadata, digest: DurableFile.digest(bytes))
    }

    private static func storage(of url: URL) throws(TrainingError) -> TensorStorage {
        let descriptor = open(url.path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw DurableFile.failure(.cannotOpen, url.path) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw DurableFile.failure(.cannotOpen, url.path) }
        guard status.st_mode & S_IFMT == S_IFREG else {
            throw TrainingError(.cannotOpen, expected: "a file", found: "not a regular file")
        }
        let size = Int(status.st_size)
        return try Result {
            try TensorStorage(byteCount: size) { target in
                var done = 0
                while done < size {
                    let count = pread(descriptor, target.baseAddress.map { $0 + done }, size - done, off_t(done))
                    guard count > 0 else {
                        if count < 0 && errno == EINTR { continue }
                        if count < 0 { throw DurableFile.failure(.cannotOpen, url.path) }
                        throw TrainingError(.truncated, expected: "\(size)", found: "\(done)")
                    }
                    done += count
                }
            }
        }.mapError { $0 as? TrainingError ?? TrainingError(.cannotOpen, found: "\($0)") }.get()
    }
}
