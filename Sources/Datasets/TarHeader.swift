import Foundation

/// One 512-byte header of a tar archive: POSIX ustar, with GNU's base-256 numbers.
struct TarHeader: Equatable {
    static let byteCount = 512

    enum Kind: Equatable {
        case file, directory
        /// GNU: the contents are the name of the next member.
        case longName
        /// Pax: the contents are settings for the next member.
        case settings
        /// Contents that mean nothing to us: GNU's long link targets, pax's settings for the whole archive.
        case ignored
        /// Links and devices, which have no contents whatever their size says.
        case withoutContents
        /// GNU's sparse files and continued volumes, whose contents are not the file's.
        case unsupported(UInt8)
    }

    enum Malformation: String, Error {
        case checksum, size
    }

    let name: String
    let kind: Kind
    /// Bytes of the contents.
    let size: Int

    /// Reads a header; nil for the block of zeros that ends an archive.
    init?(_ block: UnsafeRawBufferPointer) throws(Malformation) {
        guard block.contains(where: { $0 != 0 }) else { return nil }

        // The sum of all bytes with the checksum's own field as spaces; some old writers summed signed bytes.
        var unsigned = 0
        var signed = 0
        for (offset, byte) in block.enumerated() {
            let byte = (148..<156).contains(offset) ? 0x20 : byte
            unsigned += Int(byte)
            signed += Int(Int8(bitPattern: byte))
        }
        let checksum = Self.number(block[148..<156])
        guard checksum == unsigned || checksum == signed else { throw .checksum }
        guard let size = Self.number(block[124..<136]), size <= Int.max / 2 else { throw .size }
        let base = Self.text(block[0..<100])
        let isPOSIX = block[257..<263].elementsEqual(Array("ustar\0".utf8))
        let prefix = isPOSIX ? Self.text(block[345..<500]) : ""
        name = prefix.isEmpty ? base : prefix + "/" + base
        kind =
            switch block[156] {
            // Before POSIX, a directory was a file with a slash at the end.
            case 0 where base.hasSuffix("/"): .directory
            case 0, UInt8(ascii: "0"), UInt8(ascii: "7"): .file
            case UInt8(ascii: "5"): .directory
            case UInt8(ascii: "L"): .longName
            case UInt8(ascii: "x"): .settings
            case UInt8(ascii: "K"), UInt8(ascii: "g"): .ignored
            case UInt8(ascii: "1")...UInt8(ascii: "6"): .withoutContents
            case let type: .unsupported(type)
            }
        self.size = kind == .directory || kind == .withoutContents ? 0 : size
    }

    /// Bytes that the contents of `size` bytes take, which is whole blocks.
    static func padded(_ size: Int) -> Int { (size + byteCount - 1) / byteCount * byteCount }

    static func text(_ field: some Sequence<UInt8>) -> String {
        String(decoding: field.prefix { $0 != 0 }, as: UTF8.self)
    }

    /// An octal number with spaces around it, or GNU's big-endian binary number, marked by the first bit.
    private static func number(_ field: Slice<UnsafeRawBufferPointer>) -> Int? {
        if let first = field.first, first & 0x80 != 0 {
            var value = Int(first & 0x7F)
            for byte in field.dropFirst() {
                guard value < 1 << 54 else { return nil }
                value = value << 8 | Int(byte)
            }
            return value
        }
        let digits = field.drop { $0 == 0x20 }.prefix { $0 != 0 && $0 != 0x20 }
        return digits.isEmpty ? 0 : Int(String(decoding: digits, as: UTF8.self), radix: 8).flatMap { $0 < 0 ? nil : $0 }
    }
}
