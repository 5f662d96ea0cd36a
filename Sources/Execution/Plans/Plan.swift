import Foundation
import Graph
import Nodes
import Operators
import Primitives
import Tensors

/// A graph compiled for one set of input shapes: oneDNN primitives in order, over one arena, and what remains of the graph once
/// they are computed. Belongs to the thread that made it, and computes on that thread alone.
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

    /// Where a value of any type lies, row-major.
    public struct TypedPlace {
        /// Element type and shape.
        public let type: ValueType
        /// Its elements.
        public let bytes: UnsafeMutableRawBufferPointer
    }

    /// Bytes of the memory that values share.
    public var arenaByteCount: Int { program.arenaByteCount }
    private let program: Program
    /// Those of float32 and all others, in the graph's order.
    private let inputs: [(name: String, elements: UnsafeMutableBufferPointer<Float>)]
    private let typedInputs: [(name: String, place: TypedPlace)]
    private let outputs: [String: TypedPlace]
    private let continuation: Continuation?
    /// Outputs of the continuation in the last run.
    private var later: [String: Tensor] = [:]

    /// - Parameter taps: values that each run shows to the caller. Names of constants, and of values that the graph does not
    ///   have, are ignored.
    /// - Throws: `ExecutionError` naming the node that cannot be compiled.
    public init(_ graph: SpecializedGraph, weights: WeightStore, taps: Set<String> = []) throws {
        try ComputeLibrary.pinDefault()
        ComputeLibrary.prepareThread()
        let units = Fusion.units(of: graph, taps: taps)
        let builder = PlanBuilder(graph: graph, units: units, weights: weights, taps: taps, engine: try Engine())
        let isTyped = { (name: String) in graph.types[name].map { $0.elementType != .float32 } ?? false }
        let fed = try graph.inputs.filter { !isTyped($0) }.map { ($0, try builder.defineInput($0)) }
        let typed = try graph.inputs.filter(isTyped).map { ($0, try builder.defineTyped($0)) }
        for unit in units { try builder.add(unit) }
        let results = try graph.outputs.map { ($0, try builder.typedOperand($0)) }
        let program = try Program(
            builder, entries: fed.map(\.1.buffer) + typed.map(\.1.buffer), results: results.map(\.1.buffer))
        func place(_ operand: TypedOperand) -> TypedPlace {
            TypedPlace(type: operand.type, bytes: program.bytes(operand))
        }
        self.program = program
        inputs = fed.map { ($0, program.logicalElements($1)) }
        typedInputs = typed.map { ($0, place($1)) }
        outputs = Dictionary(results.map { ($0, place($1)) }) { $1 }
        continuation = graph.remainder.map { Continuation($0, weights: weights, taps: taps) }
    }

    /// Computes the graph once. Must be called on the thread that made the plan.
    /// - Parameters:
    ///   - feed: writes the elements of each input of float32, row-major, into its place.
    ///   - typed: does so for inputs of other types.
    ///   - tap: receives each tapped value right after it is computed.
    public func run(
        feed: (String, UnsafeMutableBufferPointer<Float>) throws -> Void,
        typed: (String, TypedPlace) throws -> Void = { name, place in
            throw ExecutionError(
                .inputMismatch, tensor: name, expected: "elements of \(place.type.elementType)", found: "none")
        },
        tap: (Tap) throws -> Void = { _ in }
    ) throws {
        program.checkThread()
        for (name, elements) in inputs { try feed(name, elements) }
        for (name, place) in typedInputs { try typed(name, place) }
        try program.run { event in
            if case .tap(let value) = event { try tap(value) }
        }
        if let continuation {
            later = try continuation.run(continuation.inputs.reduce(into: [:]) { $0[$1] = copy(of: $1) }, tap: tap)
        }
    }

    /// A graph output after a run, in memory of its own.
    func copy(of output: String) -> Tensor {
        let place = typedOutput(output)
        let storage = TensorStorage(byteCount: place.bytes.count) {
            $0.copyMemory(from: UnsafeRawBufferPointer(place.bytes))
        }
        return Tensor(shape: place.type.shape, elementType: place.type.elementType, storage: storage)
    }

    /// The elements of a graph output of float32 after a run, row-major. Valid until the next run and as long as the plan lives.
    public func output(_ name: String) -> UnsafeBufferPointer<Float> {
        let place = typedOutput(name)
        precondition(place.type.elementType == .float32, "output \(name) is of \(place.type.elementType)")
        return UnsafeBufferPointer(place.bytes.bindMemory(to: Float.self))
    }

    /// A graph output of any type after a run. Valid until the next run and as long as the plan lives.
    public func typedOutput(_ name: String) -> TypedPlace {
        if let place = outputs[name] { return place }
        guard let tensor = later[name] else { preconditionFailure("the plan's graph has no output \(name)") }
        let bytes = tensor.borrowed.bytes
        return TypedPlace(
            type: ValueType(tensor.elementType, tensor.shape),
            bytes: UnsafeMutableRawBufferPointer(mutating: bytes))
    }

    /// oneDNN's implementation names in order, for profiles.
    package var implementations: [String] { program.implementations }
}

@available(*, unavailable)
extension Plan: Sendable {}
