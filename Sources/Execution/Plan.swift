import Graph
import Tensors

/// A graph compiled for one set of input shapes: oneDNN primitives in order, over one arena. Belongs to the thread that
/// made it, and computes on that thread alone.
public final class Plan {
    /// A value on its way through a plan, as its producer left it.
    public struct Tap {
        public let name: String
        /// All elements in memory order, which may be a blocked layout. The receiver may change them, but zero must stay zero.
        public let elements: UnsafeMutableBufferPointer<Float>
        /// How many of the elements are zeros that only fill up the layout.
        public let layoutZeros: Int
    }

    /// Bytes of the memory that values share.
    public var arenaByteCount: Int { program.arenaByteCount }
    private let graph: SpecializedGraph
    private let program: Program
    private let inputs: [(name: String, operand: Operand)]
    private let outputs: [String: Operand]

    /// - Parameter taps: values that each run shows to the caller.
    /// - Throws: `ExecutionError` naming the node that cannot be compiled.
    public init(_ graph: SpecializedGraph, weights: WeightStore, taps: Set<String> = []) throws {
        ComputeLibrary.useOneThread()
        self.graph = graph
        let units = Fusion.units(of: graph, taps: taps)
        let builder = PlanBuilder(graph: graph, units: units, weights: weights, taps: taps, engine: try Engine())
        inputs = try graph.inputs.map { ($0, try builder.defineInput($0)) }
        for unit in units { try builder.build(unit) }
        outputs = Dictionary(
            try graph.outputs.map { ($0, try builder.plainOperand($0)) }, uniquingKeysWith: { first, _ in first })
        program = try Program(builder, entries: inputs.map(\.operand), results: Array(outputs.values))
    }

    /// Computes the graph once.
    /// - Parameters:
    ///   - feed: writes the elements of each input, row-major, into its place.
    ///   - tap: receives each tapped value right after it is computed.
    public func run(
        feed: (String, UnsafeMutableBufferPointer<Float>) throws -> Void, tap: (Tap) throws -> Void = { _ in }
    ) throws {
        for (name, operand) in inputs { try feed(name, logical(operand, name)) }
        try program.run { event in
            if case .tap(let value) = event { try tap(value) }
        }
    }

    /// The elements of a graph output after a run, row-major.
    public func output(_ name: String) -> UnsafeBufferPointer<Float> {
        guard let operand = outputs[name] else { return UnsafeBufferPointer(start: nil, count: 0) }
        return UnsafeBufferPointer(logical(operand, name))
    }

    /// oneDNN's implementation names in order, for profiles.
    package var implementations: [String] { program.implementations }

    private func logical(_ operand: Operand, _ name: String) -> UnsafeMutableBufferPointer<Float> {
        UnsafeMutableBufferPointer(rebasing: program.elements(operand)[0..<(graph.types[name]?.shape.count ?? 0)])
    }
}
