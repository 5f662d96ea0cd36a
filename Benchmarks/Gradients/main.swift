import Execution
import Foundation
import Graph
import Nodes
import ONNX
import Operators
import PostTraining
import Tensors

// Gradients of a whole network, batch norms folded.
//
//     gradients MODEL.onnx                samples per second of computing time of one thread: forward pass alone, forward and
//                                         backward pass, and the same with every value tapped that QAT would tap
//     gradients MODEL.onnx OUT            writes OUT.onnx, the folded network, and OUT.npz: an input, the loss's gradient of
//                                         each output, and the gradient of every parameter, for compare_gradients.py
//     gradients MODEL.onnx --profile      computing time by oneDNN's implementation, tile 4
//
// The model's first input must declare the extents of a sample.

let arguments = CommandLine.arguments
try ComputeLibrary.pin(ComputeLibrary.supportedInstructionSets.last ?? .avx2)
let file = try ONNXFile.read(URL(fileURLWithPath: arguments[1]))
let graph = BatchNormFolding.fold(try Graph(importing: file).foldingConstants()).graph
let input = graph.inputs[0]
/// Extents of one sample.
let sample = (input.dimensions ?? []).dropFirst().compactMap { if case .fixed(let extent) = $0 { extent } else { nil } }
if sample.count + 1 != input.dimensions?.count {
    print("\(input.name) is \(input.declaration): all extents but the first must be numbers")
    exit(2)
}

/// Weights and biases of the layers.
func parameters(_ graph: SpecializedGraph) -> Set<String> {
    let layers = graph.steps.filter { ["Conv", "Gemm", "MatMul"].contains($0.node.opType) }
    return Set(layers.flatMap(\.node.inputs)).filter { graph.constants[$0] != nil }
}

/// As the default config places quantizers: behind Relu, Clip and every other step but a convolution before them.
func taps(_ graph: SpecializedGraph) -> Set<String> {
    let followed = Set(graph.steps.filter { ["Relu", "Clip"].contains($0.node.opType) }.map { $0.node.inputs[0] })
    return Set(graph.steps.map { $0.node.outputs[0] }).subtracting(followed).union([input.name])
}

func specializedGraph(_ shape: Shape) throws -> SpecializedGraph {
    try graph.specialized(inputShapes: [input.name: shape])
}

/// A plan with random data for it.
struct Case {
    let graph: SpecializedGraph
    let plan: TrainingPlan
    let data: [Float]
    let projections: [String: [Float]]

    init(tile: Int, tapped: Bool) throws {
        let shape = Shape([tile] + sample)
        let specialized = try specializedGraph(shape)
        graph = specialized
        plan = try TrainingPlan(
            graph, parameters: parameters(graph), taps: tapped ? taps(graph) : [])
        var random = CounterRandom(key: 1)
        data = (0..<shape.count).map { _ in random.normal() }
        projections = Dictionary(
            uniqueKeysWithValues: graph.outputs.map { name in
                (name, (0..<(specialized.types[name]?.shape.count ?? 0)).map { _ in random.normal() })
            })
    }

    func run() throws {
        try plan.run(
            feed: { _, place in _ = place.update(fromContentsOf: data) },
            parameter: { name, place in
                graph.constants[name]?.withUnsafeElements(as: Float.self) { _ = place.update(fromContentsOf: $0) }
            },
            loss: { plan in
                for (name, gradient) in projections {
                    _ = plan.outputGradient(name).update(fromContentsOf: gradient)
                }
            })
    }
}

/// Seconds that the calling thread has computed: unlike wall-clock time it does not count other programs.
func threadSeconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
}

func samplesPerSecond(_ tile: Int, _ run: () throws -> Void) rethrows -> Double {
    for _ in 0..<2 { try run() }
    let start = threadSeconds()
    var samples = 0
    while threadSeconds() - start < 1.5 {
        try run()
        samples += tile
    }
    return Double(samples) / (threadSeconds() - start)
}

func measure() throws {
    for tile in [1, 2, 4, 8] {
        let plain = try Case(tile: tile, tapped: false)
        let forward = try Plan(plain.graph, weights: WeightStore())
        let inference = try samplesPerSecond(tile) {
            try forward.run(feed: { _, place in _ = place.update(fromContentsOf: plain.data) })
        }
        let training = try samplesPerSecond(tile) { try plain.run() }
        let tapped = try Case(tile: tile, tapped: true)
        let tappedTraining = try samplesPerSecond(tile) { try tapped.run() }
        print(
            String(
                format: "tile %2d  forward %7.1f/s  training %7.1f/s (%.2f)  tapped %7.1f/s  arena %6.1f and %6.1f MB",
                tile, inference, training, training / inference, tappedTraining,
                Double(plain.plan.arenaByteCount) / 1e6, Double(tapped.plan.arenaByteCount) / 1e6))
    }
}

func write(_ path: String) throws {
    let network = try Case(tile: 2, tapped: false)
    try network.run()
    func array(_ name: String, _ elements: some Sequence<Float>) -> Tensor? {
        network.graph.types[name].map { Tensor(shape: $0.shape, Array(elements)) }
    }
    var arrays = [("input", array(input.name, network.data))]
    for name in network.graph.outputs {
        arrays.append(("output \(name)", array(name, network.plan.output(name))))
        arrays.append(("projection \(name)", array(name, network.projections[name] ?? [])))
    }
    for name in parameters(network.graph).sorted() {
        arrays.append(("gradient \(name)", array(name, network.plan.gradient(name))))
    }
    try graph.exported(over: file).write(to: URL(fileURLWithPath: path + ".onnx"))
    try NPZ.write(
        arrays.compactMap { name, tensor in tensor.map { (name, $0) } }, to: URL(fileURLWithPath: path + ".npz"))
}

switch arguments.dropFirst(2).first {
case nil: try measure()
case "--profile":
    let network = try Case(tile: 4, tapped: true)
    for _ in 0..<3 { try network.run() }
    var seconds: [String: Double] = [:]
    var last = threadSeconds()
    network.plan.observer = { name in
        let now = threadSeconds()
        // Reorders are named with their layouts, the first shape is enough.
        seconds[name.split(separator: " strides")[0].description, default: 0] += now - last
        last = threadSeconds()
    }
    for _ in 0..<10 {
        last = threadSeconds()
        try network.run()
    }
    let total = seconds.values.reduce(0, +)
    for (name, time) in seconds.sorted(by: { $0.value > $1.value }).prefix(40) {
        print(String(format: "%6.2f %%  %@", 100 * time / total, name))
    }
    print(String(format: "%.2f ms a run", total * 100))
case let path?: try write(path)
}
