import Foundation

/// PNG files of RGB pixels, uncompressed.
public enum PNGBuilder {
    /// - Parameter pixel: red, green and blue at a row and a column.
    public static func image(height: Int, width: Int, pixel: (Int, Int) -> (UInt8, UInt8, UInt8)) -> Data {
        var lines: [UInt8] = []
        for row in 0..<height {
            lines.append(0)
            for column in 0..<width {
                let (red, green, blue) = pixel(row, column)
                lines += [red, green, blue]
            }
        }
        var file = Data([0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A])
        file.append(chunk("IHDR", bytes(UInt32(width)) + bytes(UInt32(height)) + [8, 2, 0, 0, 0]))
        file.append(chunk("IDAT", stored(lines)))
        file.append(chunk("IEND", []))
        return file
    }

    private static func chunk(_ type: String, _ contents: [UInt8]) -> Data {
        let body = Array(type.utf8) + contents
        return Data(bytes(UInt32(contents.count)) + body + bytes(CRC32.of(body)))
    }

    /// A zlib stream of stored blocks.
    private static func stored(_ data: [UInt8]) -> [UInt8] {
        var stream: [UInt8] = [0x78, 0x01]
        var rest = data[...]
        repeat {
            let block = rest.prefix(65_535)
            rest = rest.dropFirst(block.count)
            let count = UInt16(block.count)
            stream.append(rest.isEmpty ? 1 : 0)
            stream += [UInt8(count & 255), UInt8(count >> 8), UInt8(~count & 255), UInt8(~count >> 8)]
            stream += block
        } while !rest.isEmpty
        var (low, high) = (UInt32(1), UInt32(0))
        for byte in data {
            low = (low + UInt32(byte)) % 65_521
            high = (high + low) % 65_521
        }
        return stream + bytes(high << 16 | low)
    }

    private static func bytes(_ number: UInt32) -> [UInt8] {
        (0..<4).map { UInt8(number >> (24 - 8 * UInt32($0)) & 255) }
    }
}
