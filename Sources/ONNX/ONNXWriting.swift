import Foundation
import Tensors

extension ONNXFile {
    /// Tensors of this many bytes or more are moved out of a model that is too large for one protobuf message.
    private static let externalTensorBytes = 1024

    /// Writes the model under a temporary name in the same folder, then renames it. External data is taken inside; a
    /// model with more than `inlineLimit` bytes of tensors gets one external file, named as the model with `.data`.
    /// - Throws: `ONNXError(.notWritten)` naming the file, and what reading external data throws.
    public func write(to url: URL, inlineLimit: Int = 1_900_000_000) throws {
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
            try Self.replacing(data) { try Self.moveTensors(of: &model, to: $0, location: data.lastPathComponent) }
        }
        let encoded = try Self.encode(model, name: url.path)
        try Self.replacing(url) { try encoded.write(to: $0) }
    }

    /// Has `write` fill a temporary file beside `url`, which then takes its name.
    private static func replacing(_ url: URL, write: (URL) throws -> Void) throws {
        let temporary = url.deletingLastPathComponent()
            .appendingPathComponent(".\(url.lastPathComponent).\(UUID().uuidString)")
        do {
            try write(temporary)
            guard rename(temporary.path, url.path) == 0 else {
                throw ONNXError(.notWritten, file: url.path, found: String(cString: strerror(errno)))
            }
        } catch {
            try? FileManager.default.removeItem(at: temporary)
            if let error = error as? ONNXError { throw error }
            throw ONNXError(.notWritten, file: url.path, found: (error as? CocoaError)?.localizedDescription)
        }
    }

    private static func moveTensors(of model: inout ONNXModelProto, to url: URL, location: String) throws {
        guard FileManager.default.createFile(atPath: url.path, contents: nil) else {
            throw ONNXError(.notWritten, file: url.path)
        }
        let file = try FileHandle(forWritingTo: url)
        defer { try? file.close() }
        var offset = 0
        for index in model.graph.initializer.indices {
            let data = model.graph.initializer[index].rawData
            guard data.count >= externalTensorBytes else { continue }
            // Cache lines, so that a reader can use the mapped elements in place.
            let padding = (64 - offset % 64) % 64
            try file.write(contentsOf: Data(count: padding))
            try file.write(contentsOf: data)
            offset += padding
            model.graph.initializer[index].clearRawData()
            model.graph.initializer[index].dataLocation = .external
            model.graph.initializer[index].externalData = [
                .init(key: "location", value: location), .init(key: "offset", value: "\(offset)"),
                .init(key: "length", value: "\(data.count)"),
            ]
            offset += data.count
        }
    }
}

extension ONNXStringStringEntryProto {
    public init(key: String, value: String) {
        self.init()
        self.key = key
        self.value = value
    }
}
