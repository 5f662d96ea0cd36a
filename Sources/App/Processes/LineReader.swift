import Foundation

/// The lines that come through a descriptor until its end. Bytes that are no UTF-8 are replaced; a line without an end is
/// cut, so that a program which never ends its line needs no memory here.
struct LineReader {
    private static let maximumBytes = 1 << 14
    private let descriptor: Int32

    init(_ descriptor: Int32) {
        self.descriptor = descriptor
    }

    func forEach(_ body: (String) -> Void) {
        var line: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        func hand() {
            body(String(decoding: line, as: UTF8.self))
            line.removeAll(keepingCapacity: true)
        }
        while true {
            let count = read(descriptor, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { break }
            for byte in buffer[..<count] {
                if byte == UInt8(ascii: "\n") { hand() } else { line.append(byte) }
                if line.count >= Self.maximumBytes { hand() }
            }
        }
        if !line.isEmpty { hand() }
    }
}
