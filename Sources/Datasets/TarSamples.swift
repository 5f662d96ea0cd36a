import Foundation
import Tensors

/// The samples of a WebDataset tar shard: consecutive members whose paths agree up to the first dot of the last
/// component. `jpg`, `jpeg` and `png` are the image, `cls` is the label (an integer in ASCII), `NAME.npy` is the array
/// `NAME` (`npy` alone is the array `npy`), `npz` has several arrays of the sample. Other files are passed over, and arrays beside
/// an image too.
final class TarSamples: SampleStream {
    private let reader: TarReader
    /// The first member of the next sample, which was read to see that the last sample had ended.
    private var pending: Field?

    init(path: String) throws {
        reader = try TarReader(path: path)
    }

    /// The number of samples, from the headers alone.
    static func count(path: String) throws -> Int {
        try TarSamples(path: path).skip(.max)
    }

    /// Files that are part of no sample, by what follows the first dot of their names; from the headers alone.
    static func passedOver(path: String) throws -> [String: Int] {
        let reader = try TarReader(path: path)
        var counts: [String: Int] = [:]
        while let member = try reader.next() {
            if Field(member) != nil { continue }
            let name = member.name.split(separator: "/").last ?? ""
            let suffix = name.firstIndex(of: ".").map { name[$0...] } ?? "no extension"
            counts[String(suffix), default: 0] += 1
        }
        return counts
    }

    func next() throws -> Sample? {
        guard let first = try pending ?? nextField() else { return nil }
        var sample = PartialSample(key: first.key, source: reader.path)
        var field: Field? = first
        while let current = field, current.key == first.key {
            try sample.add(current, from: reader)
            field = try nextField()
        }
        pending = field
        return try sample.finished()
    }

    func skip(_ count: Int) throws -> Int {
        var skipped = 0
        while skipped < count, let first = try pending ?? nextField() {
            repeat { pending = try nextField() } while pending?.key == first.key
            skipped += 1
        }
        return skipped
    }

    /// Where the next sample's first file begins, for `seek`; nil after the last. Passes over that sample.
    func nextStart() throws -> Int? {
        guard let first = try pending ?? nextField() else { return nil }
        repeat { pending = try nextField() } while pending?.key == first.key
        return first.member.start
    }

    /// Goes to a sample.
    /// - Parameter start: what `nextStart` gave.
    func seek(to start: Int) {
        reader.seek(to: start)
        pending = nil
    }

    /// The next member that can be part of a sample.
    private func nextField() throws -> Field? {
        while let member = try reader.next() {
            if let field = Field(member) { return field }
        }
        return nil
    }
}

/// A tar member as a part of a sample.
private struct Field {
    enum Meaning: Equatable {
        case image, label, archive
        case array(String)
    }

    let member: TarMember
    let key: String
    /// All after the first dot of the name.
    let suffix: String
    let meaning: Meaning

    /// Nil for files that mean nothing to us, among them those without a name before the first dot.
    init?(_ member: TarMember) {
        let path = member.name
        let nameStart = path.lastIndex(of: "/").map(path.index(after:)) ?? path.startIndex
        guard let dot = path[nameStart...].firstIndex(of: "."), dot > nameStart else { return nil }
        let suffix = path[path.index(after: dot)...].lowercased()
        switch suffix {
        case "jpg", "jpeg", "png": meaning = .image
        case "cls": meaning = .label
        case "npy": meaning = .array("npy")
        case "npz": meaning = .archive
        case let suffix where suffix.hasSuffix(".npy"):
            meaning = .array(String(path[path.index(after: dot)...].dropLast(4)))
        default: return nil
        }
        self.member = member
        self.suffix = suffix
        key = String(path[..<dot])
    }
}

/// A sample whose files are being collected. A fault is kept until the last file has been passed, so that the stream
/// goes on with the next sample.
private struct PartialSample {
    private let key: String
    private let source: String
    private var suffixes: Set<String> = []
    private var byteCount = 0
    private var image: Data?
    private var label: Data?
    private var arrays: [String: Data] = [:]
    private var archive: Data?
    private var fault: DatasetError?

    init(key: String, source: String) {
        self.key = key
        self.source = source
    }

    mutating func add(_ field: Field, from reader: TarReader) throws {
        guard fault == nil else { return }
        byteCount += field.member.size
        guard byteCount <= SampleLimits.bytes, suffixes.count < SampleLimits.files else {
            fault = DatasetError(
                .sampleTooLarge, file: source, key: key,
                expected: "\(SampleLimits.bytes) bytes, \(SampleLimits.files) files",
                found: "\(byteCount) bytes, \(suffixes.count + 1) files")
            return
        }
        let isSecondImage = field.meaning == .image && image != nil
        guard suffixes.insert(field.suffix).inserted, !isSecondImage else {
            fault = DatasetError(.ambiguousContent, file: source, key: key, found: field.suffix)
            return
        }
        let contents = try reader.contents(of: field.member)
        switch field.meaning {
        case .image: image = contents
        case .label: label = contents
        case .archive: archive = contents
        case .array(let name): arrays[name] = contents
        }
    }

    func finished() throws -> Sample {
        if let fault { throw fault }
        let given = try label.map(integer)
        if let image { return Sample(key: key, source: source, content: .image(image), label: given) }
        guard !arrays.isEmpty || archive != nil else {
            throw DatasetError(
                .missingContent, file: source, key: key, expected: "jpg, jpeg, png, npy, npz",
                found: suffixes.sorted().joined(separator: ", "))
        }
        let (together, own) = try decodedArchive()
        let content = Sample.Content.arrays(together.merging(try decodedArrays()) { $1 })
        return Sample(key: key, source: source, content: content, label: given ?? own)
    }

    private func decodedArchive() throws -> (arrays: [String: Tensor], label: Int?) {
        guard let archive else { return ([:], nil) }
        let found = try SampleFile.arrays(ofArchive: archive, key: key, source: source)
        if let name = found.arrays.keys.filter({ arrays[$0] != nil }).min() {
            throw DatasetError(.ambiguousContent, file: source, key: key, found: "\(name) in npz and as \(name).npy")
        }
        return found
    }

    private func decodedArrays() throws -> [String: Tensor] {
        var tensors: [String: Tensor] = [:]
        for (name, data) in arrays.sorted(by: { $0.key < $1.key }) {
            do {
                tensors[name] = try NPY.decode(data)
            } catch let error as TensorFileError {
                throw DatasetError(
                    .corruptArray, file: source, key: key, expected: error.expected,
                    found: "\(name): \(error.code.rawValue) \(error.found)")
            }
        }
        return tensors
    }

    private func integer(_ text: Data) throws -> Int {
        let shown = String(decoding: text.prefix(40), as: UTF8.self)
        guard let value = Int(shown.trimmingCharacters(in: .whitespacesAndNewlines)), text.count <= 40 else {
            throw DatasetError(.invalidLabel, file: source, key: key, expected: "integer", found: shown)
        }
        return value
    }
}
