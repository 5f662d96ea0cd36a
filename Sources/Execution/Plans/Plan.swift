import Foundation
import Graph
import Tensors

/// A graph compiled for one set of input shapes: oneDNN primitives in order, over one arena. Belongs to the thread that
/// made it, and computes on that thread alone.
public final class Plan {
    /// A value on its way through a plan, as its producer left it.
    public struct Tap {
        /// Name of the value in the graph.
        public let name: String
        /// All elements in memory order, which may be a blocked layout. The receiver may change them, but zero must stay zero.
        public let elements: UnsafeMutableBufferPointer<Float>
        /// How many of the elements are zeros that only fill up the layout.
        public let layoutZeros: Int
        /// Tells layouts apart: values of one layout have their elements in the same order.
        public let layout: [UInt8]
    }

    /// Bytes of the memory that values share.
    public var arenaByteCount: Int { program.arenaByteCount }
    private let program: Program
    /// In the graph's order.
    private let inputs: [(name: String, elements: UnsafeMutableBufferPointer<Float>)]
    private let outputs: [String: UnsafeBufferPointer<Float>]

    /// - Parameter taps: values that each run shows to the caller. Names of constants, and of values that the graph does not
    ///   have, are ignored.
    /// - Throws: `ExecutionError` naming the node that cannot be compiled.
    public init(_ graph: SpecializedGraph, weights: WeightStore, taps: Set<String> = []) throws {
        try ComputeLibrary.pinDefault()
        ComputeLibrary.prepareThread()
        let units = Fusion.units(of: graph, taps: taps)
        let builder = PlanBuilder(graph: graph, units: units, weights: weights, taps: taps, engine: try Engine())
        let fed = try graph.inputs.map { ($0, try builder.defineInput($0)) }
        for unit in units { try builder.add(unit) }
        let results = try graph.outputs.map { ($0, try builder.plainOperand($0)) }
        let program = try Program(builder, entries: fed.map(\.1), results: results.map(\.1))
        self.program = program
        inputs = fed.map { ($0, program.logicalElements($1)) }
        outputs = Dictionary(results.map { ($0, UnsafeBufferPointer(program.logicalElements($1))) }) { $1 }
    }

    /// Computes the graph once. Must be called on the thread that made the plan.
    /// - Parameters:
    ///   - feed: writes the elements of each input, row-major, into its place.
    ///   - tap: receives each tapped value right after it is computed.
    public func run(
        feed: (String, UnsafeMutableBufferPointer<Float>) throws -> Void, tap: (Tap) throws -> Void = { _ in }
    ) throws {
        program.checkThread()
        for (name, elements) in inputs { try feed(name, elements) }
        try program.run { event in
            if case .tap(let value) = event { try tap(value) }
        }
    }

    /// The elements of a graph output after a run, row-major. Valid until the next run and as long as the plan lives.
    public func output(_ name: String) -> UnsafeBufferPointer<Float> {
        guard let elements = outputs[name] else { preconditionFailure("the plan's graph has no output \(name)") }
        return elements
    }

    /// oneDNN's implementation names in order, for profiles.
    package var implementations: [String] { program.implementations }
}

@available(*, unavailable)
extension Plan: Sendable {}
