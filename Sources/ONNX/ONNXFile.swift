import Foundation
import Support
import SwiftProtobuf
import Tensors

/// A model in memory, and where its external data lies.
public struct ONNXFile: Sendable {
    /// The model as protobuf has it; external data is not in it.
    public var model: ONNXModelProto
    /// What errors call the file.
    public let name: String
    let externalData: ExternalData
    /// Whether larger models are written with external data, as one that came with it is.
    public var hasExternalData = false

    /// A model whose external data, if any, lies in `directory`.
    public init(model: ONNXModelProto, name: String = "model", directory: URL?) {
        self.model = model
        self.name = name
        externalData = ExternalData(directory: directory)
    }

    /// A model whose external data is in memory.
    /// - Parameter externalData: external data files by the location that the model gives them.
    public init(model: ONNXModelProto, name: String = "model", externalData: [String: TensorStorage]) {
        self.model = model
        self.name = name
        self.externalData = ExternalData(files: externalData)
    }

    /// Decodes a model that came as bytes.
    /// - Parameter externalData: external data files by the location that the model gives them.
    /// - Throws: `ONNXError` with code truncated or notONNX.
    public init(decoding data: Data, name: String = "model", externalData: [String: TensorStorage] = [:]) throws {
        self.init(model: try Self.decode(data, name: name), name: name, externalData: externalData)
    }

    /// Reads a model file. External data is mapped into memory when a tensor asks for it.
    /// - Throws: `ONNXError` that names the file: unreadable, truncated, notONNX.
    public static func read(_ url: URL) throws -> ONNXFile {
        let data: Data
        do throws(UnreadableFile) {
            data = try RegularFile.map(url)
        } catch {
            throw ONNXError(.unreadable, file: url.path, found: error.reason)
        }
        let model = try decode(data, name: url.path)
        var file = ONNXFile(model: model, name: url.path, directory: url.deletingLastPathComponent())
        file.hasExternalData = !file.externalLocations.isEmpty
        return file
    }

    private static func decode(_ data: Data, name: String) throws -> ONNXModelProto {
        let model: ONNXModelProto
        do {
            model = try ONNXModelProto(serializedBytes: data)
        } catch BinaryDecodingError.truncated {
            throw ONNXError(.truncated, file: name, found: "\(data.count) bytes")
        } catch {
            throw ONNXError(.notONNX, file: name, found: "\(data.count) bytes that are no protobuf message")
        }
        // A file that is cut between two fields decodes; what every model has is then missing.
        guard model.hasGraph, !model.graph.output.isEmpty, !model.opsetImport.isEmpty else {
            let missing = model.hasGraph ? (model.graph.output.isEmpty ? "graph outputs" : "opset_import") : "a graph"
            throw ONNXError(
                model.hasGraph ? .truncated : .notONNX, file: name, expected: missing, found: "\(data.count) bytes")
        }
        return model
    }

    /// The model with all tensors inside, as bytes that `init(decoding:)` takes.
    /// - Throws: `ONNXError` when external data is missing or the model is larger than protobuf allows (2 GB).
    public func encoded() throws -> Data {
        var model = model
        for index in model.graph.initializer.indices where model.graph.initializer[index].dataLocation == .external {
            let proto = model.graph.initializer[index]
            var inlined = ONNXTensorProto(try tensor(proto), name: proto.name)
            inlined.docString = proto.docString
            model.graph.initializer[index] = inlined
        }
        return try Self.encode(model, name: name)
    }

    static func encode(_ model: ONNXModelProto, name: String) throws -> Data {
        do {
            return try model.serializedBytes()
        } catch {
            throw ONNXError(.notWritten, file: name, expected: "a model that protobuf can hold", found: "\(error)")
        }
    }
}

extension ONNXFile {
    /// Tensors of this many bytes or more are moved out of a model that is too large for one protobuf message.
    private static let externalTensorBytes = 1024

    /// Writes the model; the file at `url` is replaced as a whole, and is on the disk then. External data is taken inside; a
    /// model with more than `inlineLimit` bytes of tensors gets one external file, named as the model with `.data`.
    /// - Parameter inlineLimit: what protobuf allows, unless it is given; less for a model that came with external data.
    /// - Throws: `ONNXError(.notWritten)` naming the file, and what reading external data throws.
    public func write(to url: URL, inlineLimit: Int? = nil) throws {
        let inlineLimit = inlineLimit ?? (hasExternalData ? 64 << 20 : 1_900_000_000)
        var model = model
        var bytes = 0
        for index in model.graph.initializer.indices {
            let proto = model.graph.initializer[index]
            if proto.dataLocation == .external || !proto.hasRawData {
                var raw = ONNXTensorProto(try tensor(proto), name: proto.name)
                raw.docString = proto.docString
                model.graph.initializer[index] = raw
            }
            bytes += model.graph.initializer[index].rawData.count
        }
        if bytes > inlineLimit {
            let data = url.appendingPathExtension("data")
            try AtomicFile.replace(data, failure: Self.notWritten) { (temporary) throws(ONNXError) in
                do throws(FileError) {
                    try Self.moveTensors(of: &model, to: temporary, location: data.lastPathComponent)
                } catch {
                    throw ONNXError(.notWritten, file: data.path, found: error.reason)
                }
            }
        }
        let encoded = try Self.encode(model, name: url.path)
        do throws(FileError) { try AtomicFile.write(encoded, to: url) } catch { throw Self.notWritten(error) }
    }

    private static func notWritten(_ error: FileError) -> ONNXError {
        ONNXError(.notWritten, file: error.path, found: error.reason)
    }

    /// Writes the larger tensors to a file, which the model then refers to.
    private static func moveTensors(
        of model: inout ONNXModelProto, to url: URL, location: String
    ) throws(FileError) {
        let file = try DurableFile(creating: url)
        var offset = 0
        for index in model.graph.initializer.indices {
            let data = model.graph.initializer[index].rawData
            guard data.count >= externalTensorBytes else { continue }
            // Cache lines, so that a reader can use the mapped elements in place.
            let padding = (64 - offset % 64) % 64
            try file.write(Data(count: padding))
            try data.withUnsafeBytes { bytes in
                Result { () throws(FileError) in
                    try MappedFiles.forEachPiece(of: bytes) { piece throws(FileError) in try file.write(piece) }
                }
            }.get()
            offset += padding
            model.graph.initializer[index].refer(to: location, offset: offset, length: data.count)
            offset += data.count
        }
    }
}

extension ONNXStringStringEntryProto {
    /// An entry of a model's metadata, or of where external data lies.
    public init(key: String, value: String) {
        self.init()
        self.key = key
        self.value = value
    }
}

extension ONNXNodeProto {
    /// Bytes that the node takes in a file; a file has less than 2 GiB.
    package var byteCount: Int { (try? serializedData().count) ?? 1 << 31 }
}
