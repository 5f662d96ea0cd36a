import Foundation
import Support
import Tensors

/// A model in two parts, for models that no protobuf message can hold (2 GB): a file without its larger tensors, and these one
/// behind another. The file refers to them as external data at a location that is their digest.
public struct PackedModel: Sendable {
    /// The model file.
    public let file: Data
    /// Nil where no tensor is that large.
    public let tensors: PackedTensors?
}

/// Tensors one behind another, each from a cache line on. They are left where they are, in memory or a mapped file.
public struct PackedTensors: Sendable {
    /// Of all bytes.
    public let digest: SHA256Digest
    /// In bytes.
    public let count: Int
    /// In order, with what fills up cache lines.
    private let pieces: [Data]
    /// Where each piece begins.
    private let starts: [Int]

    /// Goes through all bytes once.
    fileprivate init(_ pieces: [Data]) {
        self.pieces = pieces
        var starts: [Int] = []
        var count = 0
        var hasher = SHA256Hasher()
        for piece in pieces {
            starts.append(count)
            count += piece.count
            piece.withUnsafeBytes { bytes in
                MappedFiles.forEachPiece(of: bytes) { hasher.update($0) }
            }
        }
        self.starts = starts
        self.count = count
        digest = hasher.digest()
    }

    /// A copy of some of the bytes.
    /// - Parameter range: within `0..<count`.
    public func bytes(_ range: Range<Int>) -> Data {
        var copy = Data(capacity: range.count)
        var (low, high) = (0, starts.count)
        // The last piece that begins at or before the range.
        while high - low > 1 {
            let middle = (low + high) / 2
            if starts[middle] <= range.lowerBound { low = middle } else { high = middle }
        }
        while copy.count < range.count {
            let begin = range.lowerBound + copy.count - starts[low]
            let end = min(range.upperBound - starts[low], pieces[low].count)
            pieces[low].withUnsafeBytes { bytes in
                let part = UnsafeRawBufferPointer(rebasing: bytes[begin..<end])
                copy.append(contentsOf: part)
                MappedFiles.letGo(of: part)
            }
            low += 1
        }
        return copy
    }
}

extension ONNXFile {
    /// Tensors of this many bytes or more are no part of a packed model's file.
    private static let packedTensorBytes = 64 << 10

    /// The model in two parts. Its tensors are not copied, but for those that its file holds as typed fields.
    /// - Throws: `ONNXError` where external data cannot be read, and for a model that is too large without its tensors.
    public func packed() throws -> PackedModel {
        var model = model
        var (pieces, count) = ([Data](), 0)
        var places: [(initializer: Int, offset: Int, length: Int)] = []
        for index in model.graph.initializer.indices {
            let proto = model.graph.initializer[index]
            if proto.dataLocation == .external || !proto.hasRawData {
                var raw = ONNXTensorProto(try tensor(proto), name: proto.name)
                raw.docString = proto.docString
                model.graph.initializer[index] = raw
            }
            let data = model.graph.initializer[index].rawData
            guard data.count >= Self.packedTensorBytes else { continue }
            let padding = (64 - count % 64) % 64
            if padding > 0 { pieces.append(Data(count: padding)) }
            pieces.append(data)
            places.append((index, count + padding, data.count))
            count += padding + data.count
        }
        let tensors = pieces.isEmpty ? nil : PackedTensors(pieces)
        for (index, offset, length) in places {
            model.graph.initializer[index].refer(
                to: tensors?.digest.description ?? "", offset: offset, length: length)
        }
        return PackedModel(file: try Self.encode(model, name: name), tensors: tensors)
    }

    /// Where the external data of initializers lies, as the model says.
    public var externalLocations: Set<String> {
        Set(
            model.graph.initializer.filter { $0.dataLocation == .external }
                .flatMap(\.externalData).filter { $0.key == "location" }.map(\.value))
    }
}

extension ONNXTensorProto {
    /// Has external data in place of the tensor's own.
    mutating func refer(to location: String, offset: Int, length: Int) {
        clearRawData()
        dataLocation = .external
        externalData = [
            .init(key: "location", value: location), .init(key: "offset", value: "\(offset)"),
            .init(key: "length", value: "\(length)"),
        ]
    }
}
