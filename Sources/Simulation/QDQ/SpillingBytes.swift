import Foundation
import ONNX
import Support
import Tensors

/// The elements of a tensor that is written from its first to its last: in memory, or where they are many in a file without
/// a name, mapped into memory. An export has all tensors at once.
struct SpillingBytes {
    /// Tensors of this many bytes or more go to a file.
    private static let spilled = 4 << 20

    private var memory: Data
    private var file: UnnamedFile?

    /// - Parameter count: bytes that will come. Where no file can be had, they stay in memory.
    init(count: Int) {
        file = count >= Self.spilled ? try? UnnamedFile() : nil
        memory = Data(capacity: file == nil ? count : MappedFiles.piece)
    }

    mutating func append<Element: BitwiseCopyable>(_ elements: some Collection<Element>) {
        if elements.count == 1, let element = elements.first {
            withUnsafeBytes(of: element) { memory.append(contentsOf: $0) }
        } else {
            ContiguousArray(elements).withUnsafeBytes { memory.append(contentsOf: $0) }
        }
        if file != nil, memory.count >= MappedFiles.piece { flush() }
    }

    /// All that was written.
    mutating func storage() -> TensorStorage {
        guard file != nil else { return TensorStorage(viewing: memory) }
        flush()
        guard let bytes = try? file?.mapped() else { return TensorStorage(viewing: memory) }
        return TensorStorage(viewing: bytes)
    }

    private mutating func flush() {
        guard let file else { return }
        do throws(FileError) {
            try memory.withUnsafeBytes { bytes in
                Result { () throws(FileError) in try file.append(bytes) }
            }.get()
            memory.removeAll(keepingCapacity: true)
        } catch {
            // The file is full: what is in it comes back to memory.
            let rest = memory
            memory = (try? file.mapped()).map { Data($0) } ?? Data()
            memory.append(rest)
            self.file = nil
        }
    }
}
