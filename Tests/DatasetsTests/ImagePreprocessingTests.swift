import Datasets
import Foundation
import Tensors
import TestSupport
import Testing

@Suite struct ImagePreprocessingTests {
    private static let golden = goldenFolder("Datasets")
    private static let mean: [Float] = [0.485, 0.456, 0.406]
    private static let std: [Float] = [0.229, 0.224, 0.225]

    private static func decode(_ name: String, _ preprocessing: ImagePreprocessing) throws -> [Float] {
        let data = try Data(contentsOf: golden.appendingPathComponent(name))
        var output = [Float](repeating: .nan, count: try #require(preprocessing.sizing.sizes?.first).elementCount)
        try output.withUnsafeMutableBufferPointer { try preprocessing.decode(data, into: $0) }
        return output
    }

    @Test func `normalized images have numpy's bits`() throws {
        let arrays = try NPZ.read(Self.golden.appendingPathComponent("normalized.npz"))
        let expected = try #require(arrays.first { $0.name == "image" }?.tensor)
        #expect(expected.shape == [3, 29, 37])
        let output = try Self.decode(
            "rgb_444.jpg", ImagePreprocessing(height: 29, width: 37, mean: Self.mean, std: Self.std))
        #expect(Tensor(shape: expected.shape, output) == expected)
    }

    /// All 256 values in all channels, through the formula that the documentation states.
    @Test func `the stated formula has numpy's bits`() throws {
        let arrays = try NPZ.read(Self.golden.appendingPathComponent("normalized.npz"))
        let expected = try #require(arrays.first { $0.name == "table" }?.tensor)
        let values = zip(Self.mean, Self.std).flatMap { mean, std in (0..<256).map { (Float($0) / 255 - mean) / std } }
        #expect(Tensor(shape: [3, 256], values) == expected)
    }

    /// Pillow 13 goes along the columns first for some sizes (of these, 5x60), which earlier versions do not; then the
    /// bytes in between are rounded otherwise, and a pixel may differ by one step.
    @Test func `resized images equal Pillow's`() throws {
        let expected = try NPZ.read(Self.golden.appendingPathComponent("resized.npz"))
        #expect(expected.count == 8)
        for (name, pixels) in expected {
            let (height, width) = (pixels.shape[0], pixels.shape[1])
            let preprocessing = try ImagePreprocessing(height: height, width: width, mean: [0, 0, 0], std: [1, 1, 1])
            let output = try Self.decode("rgb_444.jpg", preprocessing)
            let bytes = pixels.elements(as: UInt8.self)
            let planes = (0..<3).flatMap { channel in
                (0..<height * width).map { Float(bytes[3 * $0 + channel]) / 255 }
            }
            let largest = zip(output, planes).map { abs($0 - $1) }.max() ?? 0
            #expect(name == "5x60" ? largest <= 1.001 / 255 : largest == 0, "\(name): \(largest * 255)")
        }
    }

    /// The filter against its definition in floating point: each output pixel is the mean of the input pixels around
    /// its place, weighted by a triangle that is as wide as the scale.
    @Test(arguments: [(7, 5), (3, 50), (29, 37), (60, 8), (2, 2)])
    func `resized images are near the filter's definition`(height: Int, width: Int) throws {
        let data = try Data(contentsOf: Self.golden.appendingPathComponent("rgb_444.jpg"))
        let pixels = try ImageDecoder().pixels(of: data)
        let bytes = pixels.elements(as: UInt8.self)
        func weights(_ position: Int, input: Int, output: Int) -> [Double] {
            let scale = Double(input) / Double(output)
            let values = (0..<input).map {
                max(0, 1 - abs(Double($0) + 0.5 - (Double(position) + 0.5) * scale) / max(scale, 1))
            }
            return values.map { $0 / values.reduce(0, +) }
        }
        let preprocessing = try ImagePreprocessing(height: height, width: width, mean: [0, 0, 0], std: [1, 1, 1])
        let output = try Self.decode("rgb_444.jpg", preprocessing)
        var largest = 0.0
        for y in 0..<height {
            let rows = weights(y, input: 29, output: height)
            for x in 0..<width {
                let columns = weights(x, input: 37, output: width)
                for channel in 0..<3 {
                    var sum = 0.0
                    for (row, a) in rows.enumerated() where a > 0 {
                        for (column, b) in columns.enumerated() where b > 0 {
                            sum += a * b * Double(bytes[3 * (37 * row + column) + channel])
                        }
                    }
                    largest = max(largest, abs(sum - 255 * Double(output[(channel * height + y) * width + x])))
                }
            }
        }
        // Two roundings to bytes, of half a step each.
        #expect(largest <= 1.001)
    }

    @Test func `a decoder serves any sequence of settings`() throws {
        let decoder = ImageDecoder()
        let data = try Data(contentsOf: Self.golden.appendingPathComponent("rgb_444.jpg"))
        for (size, mean) in [(8, 0.5), (29, 0.5), (8, 0.25), (8, 0.5), (50, 0.5), (4, 0.25)] as [(Int, Float)] {
            let preprocessing = try ImagePreprocessing(
                height: size, width: size + 8, mean: [mean, mean, mean], std: Self.std)
            var output = [Float](repeating: .nan, count: try #require(preprocessing.sizing.sizes?.first).elementCount)
            try output.withUnsafeMutableBufferPointer { try preprocessing.decode(data, into: $0, using: decoder) }
            #expect(try output == Self.decode("rgb_444.jpg", preprocessing))
        }
    }

    @Test func `a bad sample is named`() throws {
        let preprocessing = try ImagePreprocessing(height: 4, width: 4, mean: Self.mean, std: Self.std)
        for content in [Sample.Content.image(Data("?".utf8)), .arrays([:])] {
            let sample = Sample(key: "k", source: "s.tar", content: content)
            let error = try #require(throws: DatasetError.self) {
                _ = try preprocessing.open(sample, using: ImageDecoder())
            }
            #expect(error.file == "s.tar" && error.key == "k" && error.isBadSample)
        }
    }

    @Test func `settings are checked, decoded ones too`() throws {
        let good = try ImagePreprocessing(height: 4, width: 5, mean: Self.mean, std: Self.std)
        let data = try JSONEncoder().encode(good)
        #expect(try JSONDecoder().decode(ImagePreprocessing.self, from: data) == good)
        let stretched = #"{"stretched": {"height": 4, "width": 5}}"#
        let wrong: [(key: String, sizing: String, rest: String)] = [
            ("height", #"{"stretched": {"height": 0, "width": 5}}"#, #""mean": [0, 0, 0], "std": [1, 1, 1]"#),
            ("width", #"{"stretched": {"height": 4, "width": 40000}}"#, #""mean": [0, 0, 0], "std": [1, 1, 1]"#),
            ("size", #"{"stretched": {"height": 32000, "width": 32000}}"#, #""mean": [0, 0, 0], "std": [1, 1, 1]"#),
            ("multiple_of", #"{"kept": {"multipleOf": 0}}"#, #""mean": [0, 0, 0], "std": [1, 1, 1]"#),
            ("buckets", #"{"buckets": {"_0": []}}"#, #""mean": [0, 0, 0], "std": [1, 1, 1]"#),
            ("mean", stretched, #""mean": [0, 0], "std": [1, 1, 1]"#),
            ("std", stretched, #""mean": [0, 0, 0], "std": [1, 0, 1]"#),
        ]
        for (key, sizing, rest) in wrong {
            let json = "{\"sizing\": \(sizing), \(rest)}"
            let error = try #require(throws: DatasetError.self) {
                try JSONDecoder().decode(ImagePreprocessing.self, from: Data(json.utf8))
            }
            #expect(error.code == .invalidPreprocessing && error.key == key)
        }
    }
}
