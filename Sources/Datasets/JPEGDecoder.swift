import Foundation

private import CTurboJPEG

/// Owns a TurboJPEG decompressor. Used by one thread at a time.
final class JPEGDecoder {
    private let handle: tjhandle

    init() throws {
        guard let handle = tjInitDecompress() else {
            throw DatasetError(.corruptImage, found: String(cString: tjGetErrorStr2(nil)))
        }
        self.handle = handle
    }

    deinit { tjDestroy(handle) }

    static func recognizes(_ bytes: UnsafeRawBufferPointer) -> Bool {
        bytes.starts(with: [0xFF, 0xD8, 0xFF])
    }

    /// Decodes to RGB with the accurate integer transform and smooth chroma upsampling, as libjpeg does by default.
    /// Grayscale becomes RGB; CMYK is refused. Any warning of the decoder makes the image a bad one: it fills what is
    /// missing from a truncated file with gray, and only warns.
    func decode(_ bytes: UnsafeRawBufferPointer, into image: inout RGBImage) throws {
        let start = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
        var width: Int32 = 0
        var height: Int32 = 0
        var subsampling: Int32 = 0
        var colorSpace: Int32 = 0
        guard
            tjDecompressHeader3(handle, start, UInt(bytes.count), &width, &height, &subsampling, &colorSpace) == 0
        else { throw failure() }
        guard colorSpace != TJCS_CMYK.rawValue && colorSpace != TJCS_YCCK.rawValue else {
            throw DatasetError(.unsupportedImage, expected: "grayscale, RGB", found: "CMYK")
        }
        try image.resize(width: Int(width), height: Int(height))
        let flags = TJFLAG_ACCURATEDCT | TJFLAG_LIMITSCANS
        let status = image.pixels.withUnsafeMutableBufferPointer {
            tjDecompress2(
                handle, start, UInt(bytes.count), $0.baseAddress, width, 0, height, Int32(TJPF_RGB.rawValue), flags)
        }
        guard status == 0 else { throw failure() }
    }

    private func failure() -> DatasetError {
        DatasetError(.corruptImage, expected: "JPEG", found: String(cString: tjGetErrorStr2(handle)))
    }
}
