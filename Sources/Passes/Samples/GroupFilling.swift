import Datasets
import TensorFunctions
import Tensors

/// Groups of samples while they are decoded.
struct GroupFilling {
    private let decoding: SampleDecoding
    private let decoder = ImageDecoder()
    /// Samples that a group is given room for in the beginning.
    private let room: Int
    private var groups: [[[Int]]: Group] = [:]
    /// Samples added.
    private var count = 0
    /// Bytes of the samples added.
    private(set) var byteCount = 0

    private var pass: PassSpecification { decoding.pass }

    private struct Group {
        /// Of the inputs in the order of the pass, then of the targets.
        var columns: [Column]
        var labels: [Int?] = []
        /// Its place among all samples, which orders the groups.
        var first: Int

        var count: Int { labels.count }
    }

    /// - Parameter expected: samples, which all have one shape where the pass has one.
    init(_ decoding: SampleDecoding, expected: Int) {
        self.decoding = decoding
        room = decoding.pass.mayVary ? 1 : expected
    }

    /// Decodes a sample into its group.
    /// - Parameter check: throws where the sample is bad though it can be decoded.
    /// - Throws: `DatasetError` naming the sample; nothing is added then.
    mutating func add(_ sample: Sample, augmentedBy choice: Augmentation.Choice?, check: () throws -> Void) throws {
        let parts = try parts(of: sample)
        let shapes = parts.map(\.dimensions)
        var group = groups.removeValue(forKey: shapes) ?? Group(columns: [], first: count)
        defer { if group.count > 0 { groups[shapes] = group } }
        if group.columns.isEmpty {
            group.columns = parts.map { Column($0.input.elementType, $0.dimensions, room: room) }
        }
        for (index, part) in parts.enumerated() {
            group.columns[index].reserve(group.count + 1)
            try write(part, of: sample, to: group.columns[index].place(group.count), augmentedBy: choice)
        }
        try check()
        group.labels.append(sample.label)
        count += 1
        byteCount += group.columns.reduce(0) { $0 + $1.sampleByteCount }
    }

    /// The groups, without what bad samples left.
    /// - Parameter labelled: whether all samples have labels.
    func groups(labelled: Bool) -> [SampleGroup] {
        groups.values.sorted { $0.first < $1.first }.map { group in
            let tensors = group.columns.map { $0.tensor(count: group.count) }
            return SampleGroup(
                count: group.count,
                inputs: Dictionary(uniqueKeysWithValues: zip(pass.inputs.map(\.name), tensors)),
                withoutSampleAxis: Set(pass.inputs.filter { !$0.hasSampleAxis }.map(\.name)),
                targets: decoding.targets == nil ? nil : tensors.last,
                labels: labelled ? group.labels.compactMap(\.self) : [])
        }
    }

    // MARK: One sample

    /// What one input takes of a sample.
    private struct Part {
        enum Source {
            case image(ImagePreprocessing, ImagePreprocessing.SizedImage)
            case array(Tensor)
        }

        var input: PassSpecification.Input
        var dimensions: [Int]
        var source: Source
    }

    private func parts(of sample: Sample) throws -> [Part] {
        var symbols: [String: Int] = [:]
        return try (pass.inputs + (decoding.targets.map { [$0] } ?? [])).map { input in
            let part = try part(of: sample, for: input)
            if let expected = input.refusal(of: part.dimensions, symbols: &symbols) {
                throw DatasetError(
                    .corruptArray, file: sample.source, key: sample.key, expected: "\(input.name) of shape \(expected)",
                    found: "\(Shape(part.dimensions))")
            }
            return part
        }
    }

    private func part(of sample: Sample, for input: PassSpecification.Input) throws -> Part {
        switch sample.content {
        case .image:
            guard let preprocessing = input.preprocessing else {
                throw DatasetError(
                    .missingContent, file: sample.source, key: sample.key, expected: "an array named \(input.name)",
                    found: "an image")
            }
            let image = try preprocessing.open(sample, using: decoder)
            return Part(
                input: input, dimensions: [3, image.size.height, image.size.width],
                source: .image(preprocessing, image))
        case .arrays(let arrays):
            guard let array = arrays[input.name] else {
                throw DatasetError(
                    .missingContent, file: sample.source, key: sample.key, expected: "an array named \(input.name)",
                    found: arrays.keys.sorted().joined(separator: ", "))
            }
            return Part(input: input, dimensions: array.shape.dimensions, source: .array(array))
        }
    }

    private func write(
        _ part: Part, of sample: Sample, to place: UnsafeMutableRawBufferPointer,
        augmentedBy choice: Augmentation.Choice?
    ) throws {
        switch part.source {
        case .image(let preprocessing, let image):
            if part.input.elementType == .float32 {
                let floats = place.bindMemory(to: Float.self)
                preprocessing.write(image, into: floats, using: decoder, augmentedBy: choice)
            } else {
                let tensor = Tensor(shape: Shape(part.dimensions)) { (floats: UnsafeMutableBufferPointer<Float>) in
                    preprocessing.write(image, into: floats, using: decoder, augmentedBy: choice)
                }
                tensor.converted(to: part.input.elementType).withUnsafeBytes { place.copyMemory(from: $0) }
            }
        case .array(let array): try part.input.write(array, of: sample, to: place)
        }
    }
}

/// The memory of one tensor while it is filled, sample by sample.
private struct Column {
    private let elementType: ElementType
    private let dimensions: [Int]
    let sampleByteCount: Int
    private var room: Int
    private var storage: TensorStorage
    private var memory: UnsafeMutableRawBufferPointer

    init(_ elementType: ElementType, _ dimensions: [Int], room: Int) {
        (self.elementType, self.dimensions, self.room) = (elementType, dimensions, room)
        sampleByteCount = dimensions.reduce(elementType.size, *)
        (memory, storage) = Self.allocate(room * sampleByteCount)
    }

    /// Makes room for so many samples.
    mutating func reserve(_ count: Int) {
        guard count > room else { return }
        room = max(count, 2 * room)
        let (larger, owner) = Self.allocate(room * sampleByteCount)
        larger.copyMemory(from: UnsafeRawBufferPointer(memory))
        (memory, storage) = (larger, owner)
    }

    func place(_ sample: Int) -> UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(rebasing: memory[sample * sampleByteCount..<(sample + 1) * sampleByteCount])
    }

    /// The first samples. Nothing may be written afterwards.
    func tensor(count: Int) -> Tensor {
        Tensor(shape: Shape([count] + dimensions), elementType: elementType, storage: storage)
    }

    private static func allocate(_ byteCount: Int) -> (UnsafeMutableRawBufferPointer, TensorStorage) {
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: max(byteCount, 1), alignment: 64)
        return (memory, TensorStorage(borrowing: UnsafeRawBufferPointer(memory)) { memory.deallocate() })
    }
}

extension PassSpecification.Input {
    /// Writes a sample's array as the input takes it.
    /// - Throws: `DatasetError` naming the sample where the input takes no such array.
    func write(_ array: Tensor, of sample: Sample, to place: UnsafeMutableRawBufferPointer) throws {
        func refuse(_ code: DatasetError.Code, expected: String, found: String) -> DatasetError {
            DatasetError(code, file: sample.source, key: sample.key, expected: expected, found: found)
        }
        guard let conversion = SampleConversion(from: array.elementType, to: elementType) else {
            throw refuse(
                .corruptArray, expected: "\(name) of \(elementType.rawValue), or of integers",
                found: array.elementType.rawValue)
        }
        if conversion == .whereHeld, let (index, value) = array.firstBeyond(elementType) {
            throw refuse(
                .corruptArray, expected: "\(name) of \(elementType.rawValue), or of numbers that it holds",
                found: "\(array.elementType.rawValue) with \(value) at \(array.shape.indices(of: index))")
        }
        guard elementType == .float32 else {
            let converted = array.converted(to: elementType)
            if let (index, value) = converted.firstNotFinite {
                throw refuse(
                    .notFinite, expected: "finite elements",
                    found: "\(name) has \(value) at \(array.shape.indices(of: index))")
            }
            converted.withUnsafeBytes { place.copyMemory(from: $0) }
            return
        }
        let floats = place.bindMemory(to: Float.self)
        array.copyAsFloats(into: floats)
        // One sum tells of all: NaN and infinities stay.
        if !floats.reduce(0, { $0 + $1 * 0 }).isZero, let index = floats.firstIndex(where: { !$0.isFinite }) {
            throw refuse(
                .notFinite, expected: "finite elements",
                found: "\(name) has \(floats[index]) at \(array.shape.indices(of: index))")
        }
    }
}
