import Datasets
import Foundation
import Tensors

extension PassSpecification {
    /// What the samples become before they enter the model.
    package struct Input: Codable, Equatable, Sendable {
        /// Of the graph's input.
        package var name: String
        /// Of the graph's input; arrays of other types are converted as `SampleConversion` says.
        package var elementType: ElementType
        /// Extents of the largest sample that the job looked at, without the batch axis: what probes, shards and estimates are made
        /// for.
        package var dimensions: [Int]
        /// The extents that a sample may have, as many as `dimensions`.
        package var extents: [Extent]
        /// Whether the graph's input has an axis of samples before these extents. One sample is computed at a time where an input
        /// has none.
        package var hasSampleAxis: Bool
        /// For image samples; nil where samples hold arrays.
        package var preprocessing: ImagePreprocessing?

        /// - Parameter extents: those of `dimensions` and no others where nil.
        package init(
            name: String, elementType: ElementType = .float32, dimensions: [Int], extents: [Extent]? = nil,
            hasSampleAxis: Bool = true, preprocessing: ImagePreprocessing?
        ) {
            self.name = name
            self.elementType = elementType
            self.dimensions = dimensions
            self.extents = extents ?? dimensions.map(Extent.fixed)
            self.hasSampleAxis = hasSampleAxis
            self.preprocessing = preprocessing
        }
    }

    /// The extent of an axis of a sample.
    package enum Extent: Codable, Equatable, Sendable {
        case fixed(Int)
        /// Equal wherever it stands in one sample.
        case symbol(String)
        case any
    }
}

extension PassSpecification.Input {
    /// Whether samples may have different extents.
    package var mayVary: Bool {
        extents.contains { if case .fixed = $0 { false } else { true } }
    }

    /// The extents that a sample may have, such as `[3, height, ?]`.
    package var declaration: String { declaration(with: [:]) }

    /// Whether a sample may have a shape.
    /// - Parameter symbols: extents that the sample's other arrays have given; takes those of this one.
    /// - Returns: what is expected where it may not.
    package func refusal(of shape: [Int], symbols: inout [String: Int]) -> String? {
        let before = symbols
        guard shape.count == extents.count else { return declaration(with: before) }
        for (extent, own) in zip(extents, shape) {
            switch extent {
            case .any: continue
            case .fixed(let wanted):
                if own != wanted { return declaration(with: before) }
            case .symbol(let name):
                if symbols[name, default: own] != own { return declaration(with: symbols) }
                symbols[name] = own
            }
        }
        return nil
    }

    private func declaration(with symbols: [String: Int]) -> String {
        let texts = extents.map { extent in
            switch extent {
            case .fixed(let extent): "\(extent)"
            case .symbol(let name): symbols[name].map { "\(name) = \($0)" } ?? name
            case .any: "?"
            }
        }
        return "[" + texts.joined(separator: ", ") + "]"
    }

    /// The shape of the graph's input for so many samples of a shape.
    package func shape(samples: Int, of dimensions: [Int]) -> Shape {
        Shape(hasSampleAxis ? [samples] + dimensions : dimensions)
    }
}

extension [PassSpecification.Input] {
    /// Shapes of the graph's inputs for a number of the largest samples that the job looked at, by name.
    package func shapes(samples: Int) -> [String: Shape] {
        Dictionary(uniqueKeysWithValues: map { ($0.name, $0.shape(samples: samples, of: $0.dimensions)) })
    }

    /// Bytes of one of these samples.
    package var byteCount: Int { reduce(0) { $0 + $1.dimensions.reduce($1.elementType.size, *) } }

    /// Whether several samples can go through the model together.
    package var haveSampleAxis: Bool { allSatisfy(\.hasSampleAxis) }
}
