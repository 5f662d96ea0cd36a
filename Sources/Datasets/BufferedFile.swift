import Foundation
import Support

/// A file read through a buffer, from any position. Owns the descriptor; used by one thread at a time.
final class BufferedFile {
    /// Small against the images of photographs, so that passing over them does not read them; large against tar
    /// headers.
    private static let bufferBytes = 1 << 16

    let path: String
    /// Bytes of the file when it was opened.
    let size: Int
    private let descriptor: Int32
    private var buffer = [UInt8](repeating: 0, count: bufferBytes)
    /// The part of the file that the buffer holds.
    private var buffered = 0..<0

    init(path: String) throws {
        let descriptor: Int32
        do throws(UnreadableFile) {
            descriptor = try RegularFile.open(path)
        } catch {
            throw DatasetError(.cannotOpen, file: path, found: error.reason)
        }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else {
            let error = Self.systemError(path)
            close(descriptor)
            throw error
        }
        self.path = path
        self.descriptor = descriptor
        size = Int(status.st_size)
    }

    deinit { close(descriptor) }

    /// Fills `target` with the bytes from `offset` on.
    /// - Throws: `DatasetError(.truncatedSource)` when the file ends before.
    func read(at offset: Int, into target: UnsafeMutableRawBufferPointer) throws {
        var done = 0
        while done < target.count {
            let rest = UnsafeMutableRawBufferPointer(rebasing: target[done...])
            let position = offset + done
            if buffered.contains(position) {
                let count = min(rest.count, buffered.upperBound - position)
                let start = position - buffered.lowerBound
                buffer.withUnsafeBytes {
                    rest.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[start..<start + count]))
                }
                done += count
            } else if rest.count >= buffer.count {
                done += try readSome(at: position, into: rest)
            } else {
                buffered = 0..<0
                let count = try buffer.withUnsafeMutableBytes { try readSome(at: position, into: $0) }
                buffered = position..<position + count
            }
        }
    }

    /// The `count` bytes from `offset` on.
    func bytes(at offset: Int, count: Int) throws -> Data {
        // A false count must not be allocated before it is seen to be false.
        guard count <= size - offset else {
            throw DatasetError(.truncatedSource, file: path, expected: "\(offset + count)", found: "\(size)")
        }
        var data = Data(count: count)
        try data.withUnsafeMutableBytes { try read(at: offset, into: $0) }
        return data
    }

    private func readSome(at offset: Int, into target: UnsafeMutableRawBufferPointer) throws -> Int {
        while true {
            let count = pread(descriptor, target.baseAddress, target.count, off_t(offset))
            if count > 0 { return count }
            guard count < 0 else {
                throw DatasetError(.truncatedSource, file: path, expected: "> \(offset)", found: "\(offset)")
            }
            guard errno == EINTR else { throw Self.systemError(path) }
        }
    }

    static func systemError(_ path: String) -> DatasetError {
        DatasetError(.cannotOpen, file: path, found: String(cString: strerror(errno)))
    }
}
