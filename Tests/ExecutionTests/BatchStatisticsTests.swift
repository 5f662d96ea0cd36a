import Execution
import Foundation
import Graph
import Nodes
import ONNX
import Operators
import Tensors
import Testing

/// Batch norms that compute with the statistics of their batch, against PyTorch (Tests/Golden/BatchStatistics, made by
/// generate.py there) and central differences.
struct BatchStatisticsTests {
    private static let folder = OperatorGoldenTests.folder.appendingPathComponent("../BatchStatistics")
        .standardizedFileURL

    private static let cases = ["classifier", "rows", "pair", "far_from_zero"]

    private static func network(
        _ name: String
    ) throws -> (graph: SpecializedGraph, arrays: [String: Tensor]) {
        let arrays = try NPZ.read(folder.appendingPathComponent("\(name).npz")).map { ($0.name, $0.tensor) }
        let graph = try Graph(importing: ONNXFile.read(folder.appendingPathComponent("\(name).onnx")))
        return (try graph.specialized(inputShapes: [:]), Dictionary(uniqueKeysWithValues: arrays))
    }

    private static func normalizations(_ graph: SpecializedGraph) -> [String] {
        graph.steps.filter { $0.node.opType == "BatchNormalization" }.map { $0.node.outputs[0] }
    }

    /// Gradients within 1e-4 of the norm of the same array, running values after the batch within 1e-5 of the largest.
    @Test(arguments: cases, [false, true])
    func gradientsAndRunningValuesAgreeWithPyTorch(_ name: String, tapped: Bool) throws {
        let (graph, arrays) = try Self.network(name)
        let normalizations = Self.normalizations(graph)
        let trained = Set(graph.constants.keys.filter { arrays["gradient \($0)"] != nil })
        let plan = try TrainingPlan(
            graph, parameters: trained, taps: tapped ? graph.variables : [], batchStatistics: Set(normalizations),
            inputGradients: true)
        func write(_ tensor: Tensor?, _ place: UnsafeMutableBufferPointer<Float>) throws {
            _ = place.update(fromContentsOf: try #require(tensor).elements(as: Float.self))
        }
        var seen: [String] = []
        // Twice: a run must not depend on what an earlier one left in the arena.
        for _ in 0..<2 {
            seen = []
            try plan.run(
                feed: { try write(arrays[$0], $1) }, parameter: { try write(graph.constants[$0], $1) },
                tap: { tap in #expect(tap.elements.count { $0 == 0 } >= tap.layoutZeros) },
                statistics: { found in
                    seen.append(found.output)
                    let mean = try #require(arrays["mean \(found.output)"]).elements(as: Float.self)
                    let variance = try #require(arrays["variance \(found.output)"]).elements(as: Float.self)
                    #expect(mean.count == found.mean.count && variance.count == found.variance.count)
                    for channel in mean.indices {
                        let ofMean = 0.1 * found.mean[channel]
                        let ofVariance = 0.9 + Float(0.1 * found.unbiasing * Double(found.variance[channel]))
                        #expect(abs(ofMean - mean[channel]) <= 1e-5 * max(1, abs(mean[channel])))
                        #expect(abs(ofVariance - variance[channel]) <= 1e-5 * variance[channel])
                    }
                },
                loss: { plan in
                    for output in graph.outputs {
                        try write(arrays["projection \(output)"], plan.outputGradient(output))
                    }
                })
        }
        #expect(seen == normalizations)
        for variable in graph.inputs + trained.sorted() {
            let expected = try #require(arrays["gradient \(variable)"]).elements(as: Float.self)
            var (difference, norm) = (0.0, 0.0)
            for (a, b) in zip(plan.gradient(variable), expected) {
                difference += Double(a - b) * Double(a - b)
                norm += Double(b) * Double(b)
            }
            #expect(
                difference.squareRoot() <= 1e-4 * norm.squareRoot(),
                "\(name): gradient of \(variable) differs by \((difference / norm).squareRoot()) of its norm")
        }
    }

    @Test(arguments: cases)
    func gradientsAgreeWithCentralDifferences(_ name: String) throws {
        let (graph, arrays) = try Self.network(name)
        var network = NetworkWithGradients(graph, arrays)
        let plan = try TrainingPlan(
            graph, parameters: Set(network.variables.dropFirst(graph.inputs.count)),
            batchStatistics: Set(Self.normalizations(graph)), inputGradients: true)
        try network.run(plan)
        let gradients = Dictionary(uniqueKeysWithValues: network.variables.map { ($0, Array(plan.gradient($0))) })
        var random = CounterRandom(key: 5)
        var (compared, skipped) = (0, 0)
        for variable in network.variables {
            let gradient = try #require(gradients[variable])
            let error = OperatorGradientTests.tolerance * max(Double(gradient.map(abs).max() ?? 0), 0.1)
            for index in OperatorGradientTests.picks(gradient.count, &random) {
                let (slope, isKink) = try network.slope(plan, variable, index, error: error)
                guard !isKink else {
                    skipped += 1
                    continue
                }
                compared += 1
                #expect(
                    abs(slope - Double(gradient[index])) <= error,
                    "\(name): d loss / d \(variable)[\(index)] is \(gradient[index]), the quotient \(slope)")
            }
        }
        #expect(2 * compared > skipped, "\(name): \(skipped) kinks, \(compared) comparisons")
    }

    /// The running values of the graph play no part.
    @Test func runningValuesAreNotRead() throws {
        let (graph, arrays) = try Self.network("rows")
        let normalization = try #require(graph.steps.first { $0.node.opType == "BatchNormalization" }).node
        func gradients(_ graph: SpecializedGraph, batchStatistics: Set<String>) throws -> [Float] {
            let network = NetworkWithGradients(graph, arrays)
            let plan = try TrainingPlan(
                graph, parameters: [], batchStatistics: batchStatistics, inputGradients: true)
            try network.run(plan)
            return Array(plan.gradient(graph.inputs[0]))
        }
        var other = graph
        other.constants[normalization.inputs[4]] = Tensor(shape: [5], [Float](repeating: 4, count: 5))
        let output: Set = [normalization.outputs[0]]
        #expect(try gradients(other, batchStatistics: output) == gradients(graph, batchStatistics: output))
        #expect(try gradients(other, batchStatistics: []) != gradients(graph, batchStatistics: []))
    }

    /// One value has no variance.
    @Test func oneValuePerChannelIsRefused() throws {
        let (_, _) = try Self.network("rows")
        let graph = try Graph(importing: ONNXFile.read(Self.folder.appendingPathComponent("rows.onnx")))
        var open = graph
        open.inputs[0].dimensions = nil
        let single = try open.specialized(inputShapes: [graph.inputs[0].name: [1, 5]])
        let name = Self.normalizations(single)
        #expect {
            try TrainingPlan(single, parameters: [], batchStatistics: Set(name))
        } throws: { error in
            (error as? ExecutionError)?.code == .unsupportedForm && (error as? ExecutionError)?.found == "1"
        }
    }
}
