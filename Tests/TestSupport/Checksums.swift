import Foundation

/// The checksum of PNG's chunks and of ZIP's members. Without it almost all that a fuzzer makes up would be refused before
/// anything else is looked at.
public enum CRC32 {
    private static let table: [UInt32] = (0..<256).map { byte in
        (0..<8).reduce(UInt32(byte)) { value, _ in value & 1 == 0 ? value >> 1 : value >> 1 ^ 0xEDB8_8320 }
    }

    public static func of(_ bytes: some Sequence<UInt8>) -> UInt32 {
        ~bytes.reduce(~0) { $0 >> 8 ^ table[Int(UInt8(truncatingIfNeeded: $0) ^ $1)] }
    }
}

/// Archives whose only member is stored as it is.
public enum StoredArchive {
    public static func holding(_ contents: Data, named name: String) -> Data {
        var local = Data()
        append(to: &local, 0x0403_4B50 as UInt32, 20 as UInt16, 0 as UInt16, 0 as UInt16, 0 as UInt32)
        var central = Data()
        append(to: &central, 0x0201_4B50 as UInt32, 20 as UInt32, 0 as UInt16, 0 as UInt16, 0 as UInt32)
        let size = UInt32(contents.count)
        let sizes = [CRC32.of(contents), size, size]
        for value in sizes {
            append(to: &local, value)
            append(to: &central, value)
        }
        append(to: &local, UInt16(name.utf8.count), 0 as UInt16)
        // No extra fields and comment, disk 0, attributes, and the header at the beginning of the file.
        append(to: &central, UInt16(name.utf8.count), 0 as UInt64, 0 as UInt64)
        let member = local + Data(name.utf8) + contents
        let directory = central + Data(name.utf8)
        var end = Data()
        append(
            to: &end, 0x0605_4B50 as UInt32, 0 as UInt32, 1 as UInt16, 1 as UInt16, UInt32(directory.count),
            UInt32(member.count), 0 as UInt16)
        return member + directory + end
    }

    private static func append(to data: inout Data, _ values: any FixedWidthInteger...) {
        for value in values {
            func add(_ value: some FixedWidthInteger) {
                withUnsafeBytes(of: value.littleEndian) { data.append(contentsOf: $0) }
            }
            add(value)
        }
    }
}

/// PNG files whose chunks have their checksums.
public enum RepairedPNG {
    /// The file with the checksum of every whole chunk set right.
    public static func repairing(_ file: Data) -> Data {
        var bytes = [UInt8](file)
        var position = 8
        while bytes.count - position >= 12 {
            let length = bytes[position..<position + 4].reduce(0) { $0 << 8 | Int($1) }
            guard length <= bytes.count - position - 12 else { break }
            let end = position + 8 + length
            let checksum = CRC32.of(bytes[position + 4..<end])
            for index in 0..<4 { bytes[end + index] = UInt8(truncatingIfNeeded: checksum >> (24 - 8 * UInt32(index))) }
            position = end + 4
        }
        return Data(bytes)
    }
}
