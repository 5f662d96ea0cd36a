import Execution
import Foundation
import Graph
import Nodes
import Operators
import Tensors
import Testing

/// Layouts whose last block of channels is filled up with zeros: these have to stay zeros, or observers count what is none and the
/// next layer multiplies it.
struct PaddedLayoutTests {
    /// An operator behind a layer with 24 channels, of blocks of 16 or 8: op type, further inputs, attributes.
    static let operators: [(String, [String], [String: Attribute])] = [
        ("BatchNormalization", ["vector", "vector2", "vector", "positive"], ["epsilon": .float(0)]),
        ("Sigmoid", [], [:]),
        ("Exp", [], [:]),
        ("HardSigmoid", [], [:]), ("Softplus", [], [:]), ("Elu", [], [:]), ("LRN", [], ["size": .int(5)]),
        ("MaxPool", [], ["kernel_shape": .ints([2, 2])]),
        ("AveragePool", [], ["kernel_shape": .ints([2, 2]), "pads": .ints([1, 1, 1, 1])]),
        ("GlobalAveragePool", [], [:]),
        ("Softmax", [], ["axis": .int(1)]), ("Add", ["channels"], [:]), ("Add", ["number"], [:]),
        ("Div", ["channels"], [:]),
        ("Sub", ["channels"], [:]), ("Max", ["number"], [:]), ("PRelu", ["channels"], [:]), ("Clip", ["number"], [:]),
        ("Concat", ["a"], ["axis": .int(1)]), ("InstanceNormalization", ["vector", "vector2"], [:]),
        ("Conv", ["depthwise"], ["group": .int(24)]),
    ]

    @Test(arguments: operators.indices) func whatFillsUpABlockStaysZero(_ index: Int) throws {
        let (type, more, attributes) = Self.operators[index]
        var random = CounterRandom(key: 31)
        func tensor(_ shape: Shape) -> Tensor { Tensor(shape: shape, (0..<shape.count).map { _ in random.normal() }) }
        var graph = Graph(
            name: "g", inputs: [ValueInfo(name: "x", elementType: .float32, dimensions: nil)],
            outputs: [ValueInfo(name: "y", elementType: .float32, dimensions: nil)],
            nodes: [
                Node(
                    name: "layer", opType: "ConvTranspose", inputs: ["x", "weight"], outputs: ["a"],
                    attributes: ["kernel_shape": .ints([2, 2]), "strides": .ints([2, 2])]),
                Node(name: "operator", opType: type, inputs: ["a"] + more, outputs: ["b"], attributes: attributes),
                Node(name: "last", opType: "Neg", inputs: ["b"], outputs: ["y"]),
            ],
            constants: [
                "weight": tensor([16, 24, 2, 2]), "vector": tensor([24]), "vector2": tensor([24]),
                "channels": tensor([24, 1, 1]), "number": Tensor(shape: [], [0.5] as [Float]),
                "depthwise": tensor([24, 1, 3, 3]),
            ], opsetVersion: 17)
        graph.constants["positive"] = Tensor(shape: [24], (0..<24).map { 0.1 + Float($0) })
        let x = tensor([2, 16, 8, 8])
        let specialized = try graph.specialized(inputShapes: ["x": x.shape])
        let plan = try Plan(specialized, weights: WeightStore(), taps: ["a", "b"])
        var seen: Set<String> = []
        try plan.run(
            feed: { _, place in _ = place.update(fromContentsOf: x.elements(as: Float.self)) },
            tap: { tap in
                seen.insert(tap.name)
                #expect(tap.elements.count { $0 == 0 } >= tap.layoutZeros, "\(tap.name) of \(type)")
            })
        #expect(seen == ["a", "b"])
    }
}
