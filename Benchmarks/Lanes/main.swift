import Execution
import Foundation
import Graph
import Nodes
import ONNX
import Operators
import PostTraining
import Quantization
import Synchronization
import Tensors

// Speed of lanes without processes or messages: samples per second of the forward plan alone, and with every output
// observed, for some tile sizes.
//
//     lanes MODEL.onnx [LANES]
//
// The model's first input must declare the extents of a sample.

let arguments = CommandLine.arguments
let lanes = arguments.count > 2 ? Int(arguments[2]) ?? 1 : 1
try ComputeLibrary.pin(ComputeLibrary.supportedInstructionSets.last ?? .avx2)
let imported = try Graph(importing: ONNXFile.read(URL(fileURLWithPath: arguments[1])))
let graph = BatchNormFolding.fold(imported).graph
let input = graph.inputs[0]
/// Extents of one sample.
let sample = (input.dimensions ?? []).dropFirst().compactMap { if case .fixed(let extent) = $0 { extent } else { nil } }
if sample.count + 1 != input.dimensions?.count {
    print("\(input.name) is \(input.declaration): all extents but the first must be numbers")
    exit(2)
}

/// Seconds that the calling thread has computed: unlike wall-clock time it does not count other programs.
func threadSeconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
}

/// Samples per second of computing time of `lanes` threads that each run a plan for about one second.
func rate(tile: Int, observing: Bool) throws -> (Double, Int) {
    let shape = Shape([tile] + sample)
    let specialized = try graph.specialized(inputShapes: [input.name: shape])
    // As the default config places quantizers: behind Relu, Clip and every other step but a convolution before them.
    let followed = Set(
        specialized.steps.filter { ["Relu", "Clip"].contains($0.node.opType) }.map { $0.node.inputs[0] })
    let taps = Set(specialized.steps.map { $0.node.outputs[0] }).subtracting(followed).union([input.name])
    let weights = WeightStore()
    let total = Mutex(0.0)
    let arena = Mutex(0)
    let group = DispatchGroup()
    for _ in 0..<lanes {
        let thread = Thread {
            defer { group.leave() }
            guard let plan = try? Plan(specialized, weights: weights, taps: observing ? taps : []) else { return }
            arena.withLock { $0 = plan.arenaByteCount }
            let observers = Dictionary(uniqueKeysWithValues: taps.map { ($0, Observer()) })
            var random = CounterRandom(key: 1)
            let data = (0..<shape.count).map { _ in random.normal() }
            func run() {
                try? plan.run(
                    feed: { _, place in _ = place.update(fromContentsOf: data) },
                    tap: { tap in
                        guard let start = tap.elements.baseAddress else { return }
                        observers[tap.name]?.observe(
                            start, count: tap.elements.count, layoutZeros: tap.layoutZeros)
                    })
            }
            for _ in 0..<3 { run() }
            let start = threadSeconds()
            var samples = 0
            while threadSeconds() - start < 1 {
                run()
                samples += tile
            }
            let own = Double(samples) / (threadSeconds() - start)
            total.withLock { $0 += own }
        }
        thread.stackSize = 16 << 20
        group.enter()
        thread.start()
    }
    group.wait()
    return (total.withLock { $0 }, arena.withLock { $0 })
}

// A model for a fixed batch takes only that.
for tile in [1, 2, 4, 8, 16]
where (try? graph.specialized(inputShapes: [input.name: Shape([tile] + sample)])) != nil {
    let plain = try rate(tile: tile, observing: false)
    let observed = try rate(tile: tile, observing: true)
    print(
        String(
            format: "tile %2d  forward %7.1f/s  observed %7.1f/s  arena %6.1f MB", tile, plain.0, observed.0,
            Double(plain.1) / 1e6))
}
