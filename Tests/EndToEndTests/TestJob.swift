import Foundation
import Reports
import Tensors
import TestSupport

/// The demo's network on random images: enough work for processes to be killed in the middle of it.
struct TestJob {
    static let repository = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("../..").standardizedFileURL
    static let model = repository.appendingPathComponent("Sources/App/Demo/demo.onnx")

    let folder: URL
    var file: URL { folder.appendingPathComponent("job.yml") }

    /// - Parameter samples: images for calibration, and as many for evaluation.
    init(in folder: URL, samples: Int) throws {
        self.folder = folder
        var random = CounterRandom(key: 7, UInt64(samples))
        let images = Tensor(shape: [samples, 1, 28, 28]) { (place: UnsafeMutableBufferPointer<UInt8>) in
            for index in place.indices { place[index] = UInt8(truncatingIfNeeded: random.next() >> 40) }
        }
        let labels = Tensor(shape: [samples], (0..<samples).map { Int64($0 % 10) })
        try NPZ.write([("input", images), ("labels", labels)], to: folder.appendingPathComponent("images.npz"))
        try """
        model: \(Self.model.path)
        dataset:
          calibration: {path: images.npz}
          evaluation: {path: images.npz}
          batch: 32
        quantization: {config: default, scheme: tf_enhanced}
        """.write(to: file, atomically: true, encoding: .utf8)
    }

    /// The report in an output folder.
    static func report(_ output: URL) throws -> RunReport {
        try JSONDecoder().decode(RunReport.self, from: Data(contentsOf: output.appendingPathComponent("report.json")))
    }

    /// A TCP port of this machine that is free now.
    static func freeEndpoint() throws -> String {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        _ = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                bind(descriptor, address, length) + getsockname(descriptor, address, &length)
            }
        }
        return "tcp://127.0.0.1:\(UInt16(bigEndian: address.sin_port))"
    }
}
