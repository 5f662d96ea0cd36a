import Foundation

/// Bytes of an announced number that arrive in chunks, one behind the other.
///
/// Memory is taken as bytes arrive, never for what is only announced: whoever announces 64 GiB and sends nothing costs
/// nothing. Taking in all chunks costs time in proportion to the bytes.
package struct ArrivingBytes: ArrivingArtifact {
    /// In bytes, as announced.
    package let size: Int
    private var data: Data
    /// The first chunk is a view of the frame that it came in, which appending would copy each time.
    private var ownsMemory = false

    /// - Parameter first: the first chunk, which may be all of it or nothing.
    package init(size: Int, first: Data = Data()) {
        self.size = size
        data = first
    }

    /// In bytes.
    package var count: Int { data.count }

    /// Whether all bytes are there.
    package var isWhole: Bool { data.count == size }

    /// Takes the next chunk.
    /// - Returns: false, with nothing taken, where the chunk is empty, does not follow what is there, or goes beyond the size.
    package mutating func append(_ chunk: Data, at offset: Int) -> Bool {
        guard !chunk.isEmpty, offset == data.count, chunk.count <= size - data.count else { return false }
        if !ownsMemory {
            var own = Data(capacity: min(size, 2 * (data.count + chunk.count)))
            own.append(data)
            data = own
            ownsMemory = true
        }
        data.append(chunk)
        return true
    }

    /// All bytes; what is kept here is empty then.
    package mutating func take() -> Data {
        defer { data = Data() }
        return data
    }
}
