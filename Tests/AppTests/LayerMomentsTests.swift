import Foundation
import Graph
import Nodes
import PostTraining
import Tensors
import Testing

@testable import Passes

/// The moments of layers' inputs, against sums that are written out.
@Suite struct LayerMomentsTests {
    /// A layer, the shape of its input, and of its outputs for each sample the rows that they are of.
    static let layers: [(type: String, weight: Shape, attributes: [String: Attribute], input: Shape)] = [
        (
            "Conv", [4, 3, 3, 3],
            ["pads": .ints([1, 0, 2, 1]), "strides": .ints([2, 1]), "dilations": .ints([1, 2])], [2, 3, 9, 8]
        ),
        ("Conv", [6, 2, 3, 2], ["group": .int(3), "auto_pad": .string("SAME_UPPER")], [3, 6, 5, 4]),
        ("Conv", [5, 4, 3], ["pads": .ints([1, 1])], [2, 4, 300]), ("Conv", [2, 2, 2, 2, 2], [:], [1, 2, 4, 3, 3]),
        ("Conv", [8, 1, 3, 3], ["group": .int(8), "pads": .ints([1, 1, 1, 1])], [2, 8, 5, 5]),
        ("Gemm", [5, 7], ["transB": .int(1)], [4, 7]), ("Gemm", [7, 5], [:], [4, 7]),
        ("MatMul", [6, 18], [:], [2, 5, 6]),
    ]

    @Test(arguments: layers.indices) func momentsAreThoseOfTheRows(_ index: Int) throws {
        let (type, shape, attributes, inputShape) = Self.layers[index]
        var random = CounterRandom(key: 17, UInt64(index))
        func numbers(_ count: Int) -> [Float] { (0..<count).map { _ in (random.normal() * 8).rounded() / 8 } }
        let node = Node(name: "layer", opType: type, inputs: ["x", "w"], outputs: ["y"], attributes: attributes)
        let weight = Tensor(shape: shape, numbers(shape.count))
        let graph = Graph(
            name: "g", inputs: [ValueInfo(name: "x", elementType: .float32, dimensions: nil)], outputs: [],
            nodes: [node],
            constants: ["w": weight], opsetVersion: 17)
        let layer = try #require(ProductLayer(node, in: graph))
        let x = numbers(inputShape.count)
        // The products of the layer itself are what a convolution gives, so y tells that rows are its windows.
        let rows = Self.rows(x, inputShape, layer)
        let (inputs, outputs) = (layer.inputs, layer.outputsPerGroup)
        let weights = layer.rows(of: weight).map { Double($0) }
        let samples = inputShape[0]
        let perSample = rows[0].count / samples
        var y = [Float](repeating: 0, count: rows[0].count * layer.outputs)
        for group in 0..<layer.groups {
            for (place, row) in rows[group].enumerated() {
                for output in 0..<outputs {
                    let channel = group * outputs + output
                    let sum = row.indices.reduce(0.0) { $0 + row[$1] * weights[channel * inputs + $1] }
                    let at =
                        layer.window == nil
                        ? place * layer.outputs + channel
                        : (place / perSample * layer.outputs + channel) * perSample + place % perSample
                    y[at] = Float(sum)
                }
            }
        }
        #expect(y == (try Self.computed(graph, x, inputShape)) || layer.window == nil)

        var total = [Double](repeating: 0, count: MomentsLayout(layer).count)
        var sums = LayerRows(layer)
        x.withUnsafeBufferPointer { x in
            y.withUnsafeBufferPointer { sums.add(x, inputShape, $0, samples: samples, to: &total) }
        }
        let found = MomentsLayout(layer).moments(total.map { Float($0 / Double(samples)) }, bias: nil)
        for group in 0..<layer.groups {
            let own = rows[group]
            func mean(_ value: ([Double]) -> Double) -> Double { own.reduce(0) { $0 + value($1) } / Double(own.count) }
            for a in 0..<inputs {
                Self.expect(found.means[group][a], mean { $0[a] })
                for b in 0..<inputs { Self.expect(found.second[group][a * inputs + b], mean { $0[a] * $0[b] }) }
                for output in 0..<outputs {
                    let row = (group * outputs + output) * inputs
                    Self.expect(
                        found.cross[group][a * outputs + output],
                        mean { x in x[a] * (0..<inputs).reduce(0.0) { $0 + x[$1] * weights[row + $1] } })
                }
            }
        }
    }

    private static func expect(_ found: Double, _ wanted: Double) {
        #expect(abs(found - wanted) <= 1e-5 * max(1, abs(wanted)), "\(found), not \(wanted)")
    }

    private static func computed(_ graph: Graph, _ x: [Float], _ shape: Shape) throws -> [Float] {
        let lane = ModelLane(SharedModel(graph.computing("y")), taps: [])
        return try lane.run(whole: ["x": Tensor(shape: shape, x)]).floats(of: "y")
    }

    /// By group, the rows of all samples, one behind the other.
    private static func rows(_ x: [Float], _ shape: Shape, _ layer: ProductLayer) -> [[[Double]]] {
        guard let window = layer.window else {
            return [stride(from: 0, to: x.count, by: layer.inputs).map { x[$0..<$0 + layer.inputs].map { Double($0) } }]
        }
        let extents = Array(shape.dimensions.dropFirst(2))
        let (begin, _) = window.resolvedPadding(input: extents, kernel: layer.kernel)
        let windows = window.outputExtents(input: extents, kernel: layer.kernel)
        let channels = shape[1] / layer.groups
        func places(_ extents: [Int]) -> [[Int]] {
            extents.reduce([[]]) { places, extent in places.flatMap { place in (0..<extent).map { place + [$0] } } }
        }
        return (0..<layer.groups).map { group in
            (0..<shape[0]).flatMap { sample in
                places(windows).map { place in
                    (0..<channels).flatMap { channel in
                        places(layer.kernel).map { offset -> Double in
                            var index = sample * shape[1] + group * channels + channel
                            for axis in extents.indices {
                                let at =
                                    place[axis] * window.stride(axis) + offset[axis] * window.dilation(axis)
                                    - begin[axis]
                                guard (0..<extents[axis]).contains(at) else { return 0 }
                                index = index * extents[axis] + at
                            }
                            return Double(x[index])
                        }
                    }
                }
            }
        }
    }
}
