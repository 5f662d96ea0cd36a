import Foundation

private import CSPNG

enum PNGDecoder {
    static func recognizes(_ bytes: UnsafeRawBufferPointer) -> Bool {
        bytes.starts(with: [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A])
    }

    /// Decodes any PNG to 8-bit RGB: grayscale and palettes are expanded, 16-bit channels keep their upper byte, alpha
    /// and gamma are ignored.
    static func decode(_ bytes: UnsafeRawBufferPointer, into image: inout RGBImage) throws {
        // A context decodes one image only, so there is none to keep.
        guard let context = spng_ctx_new(0) else {
            throw DatasetError(.corruptImage, expected: "PNG", found: "no memory")
        }
        defer { spng_ctx_free(context) }
        try check(spng_set_png_buffer(context, bytes.baseAddress, bytes.count))
        // Bounds what compressed profiles and texts may grow to. Not smaller, as all pixels may lie in one chunk.
        try check(spng_set_chunk_limits(context, SampleLimits.bytes, SampleLimits.bytes))
        var header = spng_ihdr()
        try check(spng_get_ihdr(context, &header))
        try image.resize(width: Int(header.width), height: Int(header.height))
        var byteCount = 0
        let format = Int32(SPNG_FMT_RGB8.rawValue)
        try check(spng_decoded_image_size(context, format, &byteCount))
        guard byteCount == 3 * image.width * image.height else {
            throw DatasetError(
                .corruptImage, expected: "\(3 * image.width * image.height) bytes", found: "\(byteCount)")
        }
        try image.pixels.withUnsafeMutableBufferPointer {
            try check(spng_decode_image(context, $0.baseAddress, byteCount, format, 0))
        }
        // The pixels' checksum and the chunks behind them.
        try check(spng_decode_chunks(context))
        // Not so the end, which spng (0.7.3) takes for granted once it has met the name of its chunk.
        guard hasEnd(bytes) else {
            throw DatasetError(.corruptImage, expected: "PNG", found: "no whole chunk IEND")
        }
    }

    /// The chunk that ends a file: length 0, its name, its checksum.
    private static let end: [UInt8] = [0, 0, 0, 0, 0x49, 0x45, 0x4E, 0x44, 0xAE, 0x42, 0x60, 0x82]

    /// Whether the chunks, each of a length, a name, contents and a checksum, lead to the one that ends a file. What follows
    /// it is not looked at.
    private static func hasEnd(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var position = 8
        while bytes.count - position >= end.count {
            if bytes[position...].starts(with: end) { return true }
            let length = bytes.loadUnaligned(fromByteOffset: position, as: UInt32.self).bigEndian
            position += 12 + Int(length)
        }
        return false
    }

    private static func check(_ status: Int32) throws {
        guard status == 0 else {
            throw DatasetError(.corruptImage, expected: "PNG", found: String(cString: spng_strerror(status)))
        }
    }
}
