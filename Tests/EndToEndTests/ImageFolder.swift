import Foundation

/// A folder of images with a sub-folder per class, filled with copies of the datasets' golden images.
struct ImageFolder {
    private static let golden = TestJob.repository.appendingPathComponent("Tests/Golden/Datasets")
    private static let names = ["rgb_444.jpg", "rgb_420.jpg", "rgb_422.jpg", "progressive.jpg", "rgb.png"]

    let url: URL

    init(_ url: URL) {
        self.url = url
    }

    func add(_ count: Int, ofClass label: Int) throws {
        for index in 0..<count {
            let name = Self.names[(index + label) % Self.names.count]
            try add(
                Data(contentsOf: Self.golden.appendingPathComponent(name)), ofClass: label,
                named: String(format: "%04d_", index) + name)
        }
    }

    func add(_ data: Data, ofClass label: Int, named name: String) throws {
        let folder = url.appendingPathComponent("class\(label)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        try data.write(to: folder.appendingPathComponent(name))
    }

    /// The first half of a JPEG file: its header is sound.
    static func truncatedJPEG() throws -> Data {
        let whole = try Data(contentsOf: golden.appendingPathComponent("rgb_444.jpg"))
        return whole.prefix(whole.count / 2)
    }

    /// A file that begins as a JPEG file does.
    static let garbage = Data([0xFF, 0xD8, 0xFF, 0xE0]) + Data((0..<2000).map { UInt8(truncatingIfNeeded: $0 * 167) })
}
