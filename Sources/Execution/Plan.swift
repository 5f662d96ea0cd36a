import COneDNN
import Foundation
import Graph
import Tensors

/// A graph compiled for one set of input shapes: oneDNN primitives in order, over one arena. Belongs to the thread that
/// made it, and computes on that thread alone.
public final class Plan {
    /// A value on its way through a plan, as its producer left it.
    public struct Tap {
        public let name: String
        /// All elements in memory order, which may be a blocked layout. The receiver may change them; everyone who uses the value
        /// then sees the changed elements. Zero must stay zero.
        public let elements: UnsafeMutableBufferPointer<Float>
        /// How many of the elements are zeros that only fill up the layout.
        public let layoutZeros: Int
    }

    private enum Action {
        case primitive(Primitive, [dnnl_exec_arg_t])
        case native(([UnsafeMutablePointer<Float>]) -> Void, [UnsafeMutablePointer<Float>])
        case tap(Tap)
    }

    /// Bytes of the memory that values share.
    public let arenaByteCount: Int
    private let owner = pthread_self()
    private let engine: Engine
    /// The values' memory, then the primitives' scratchpad.
    private let arena: UnsafeMutableRawPointer
    private var actions: [Action] = []
    /// What the actions' arguments point to.
    private var memories: [Memory] = []
    private var constants: [TensorStorage] = []
    /// In the graph's order.
    private var inputs: [(name: String, elements: UnsafeMutableBufferPointer<Float>)] = []
    private var outputs: [String: UnsafeBufferPointer<Float>] = [:]

    /// - Parameter taps: values that each run shows to the caller. Names of constants, and of values that the graph does not
    ///   have, are ignored.
    /// - Throws: `ExecutionError` naming the node that cannot be compiled.
    public init(_ graph: SpecializedGraph, weights: WeightStore, taps: Set<String> = []) throws {
        try ComputeLibrary.pinDefault()
        ComputeLibrary.useOneThread()
        engine = try Engine()
        let units = Fusion.units(of: graph, taps: taps)
        let builder = PlanBuilder(graph: graph, units: units, weights: weights, taps: taps, engine: engine)
        let fed = try graph.inputs.map { input in
            let operand = builder.allocate(try MemoryDescriptor(plain: builder.shape(input)))
            builder.define(input, at: operand)
            return (name: input, operand: operand)
        }
        for unit in units { try builder.add(unit) }
        let results = try graph.outputs.map { (name: $0, operand: try builder.plainOperand($0)) }

        let (offsets, byteCount) = Self.place(
            builder, inputs: fed.map(\.operand), outputs: results.map(\.operand))
        arenaByteCount = byteCount
        let total = byteCount + builder.scratchpadByteCount + Arena.alignment
        arena = UnsafeMutableRawPointer.allocate(byteCount: total, alignment: Arena.alignment)
        arena.initializeMemory(as: UInt8.self, repeating: 0, count: total)

        try bind(builder, offsets)
        func elements(_ name: String, _ operand: Operand) throws -> UnsafeMutableBufferPointer<Float> {
            UnsafeMutableBufferPointer(
                start: try address(operand, builder, offsets).assumingMemoryBound(to: Float.self),
                count: try builder.shape(name).count)
        }
        inputs = try fed.map { ($0.name, try elements($0.name, $0.operand)) }
        for (name, operand) in results { outputs[name] = UnsafeBufferPointer(try elements(name, operand)) }
    }

    deinit { arena.deallocate() }

    /// Computes the graph once. Must be called on the thread that made the plan.
    /// - Parameters:
    ///   - feed: writes the elements of each input, row-major, into its place.
    ///   - tap: receives each tapped value right after it is computed.
    /// - Throws: what `feed` and `tap` throw, and `ExecutionError` `.library`.
    public func run(
        feed: (String, UnsafeMutableBufferPointer<Float>) throws -> Void, tap: (Tap) throws -> Void = { _ in }
    ) throws {
        // OpenMP would compute with more than one thread elsewhere, and oneDNN's stream is not to be shared.
        precondition(pthread_equal(owner, pthread_self()) != 0, "a plan was run on a thread that did not make it")
        for (name, elements) in inputs { try feed(name, elements) }
        for action in actions {
            switch action {
            case .primitive(let primitive, let arguments): try primitive.execute(arguments)
            case .native(let body, let addresses): body(addresses)
            case .tap(let value): try tap(value)
            }
        }
    }

    /// The elements of a graph output after a run, row-major. Valid until the next run and as long as the plan lives.
    public func output(_ name: String) -> UnsafeBufferPointer<Float> {
        guard let elements = outputs[name] else { preconditionFailure("the plan's graph has no output \(name)") }
        return elements
    }

    /// oneDNN's implementation names in order, for profiles.
    package var implementations: [String] {
        actions.compactMap { if case .primitive(let primitive, _) = $0 { primitive.implementation } else { nil } }
    }

    // MARK: Memory

    /// Places in the arena by buffer, in bytes, and the bytes of all. A buffer lives from the first instruction that touches it
    /// to the last; inputs live from before the first instruction, outputs until after the last.
    private static func place(
        _ builder: PlanBuilder, inputs: [Operand], outputs: [Operand]
    ) -> (offsets: [Int: Int], byteCount: Int) {
        var lifetimes: [Int: ClosedRange<Int>] = [:]
        func touch(_ buffer: Int, at time: Int) {
            let lifetime = lifetimes[buffer] ?? time...time
            lifetimes[buffer] = min(lifetime.lowerBound, time)...max(lifetime.upperBound, time)
        }
        for operand in inputs { touch(operand.buffer, at: -1) }
        for (time, instruction) in builder.instructions.enumerated() {
            for buffer in instruction.buffers { touch(buffer, at: time) }
        }
        for operand in outputs { touch(operand.buffer, at: builder.instructions.count) }

        var buffers: [Int] = []
        var requests: [Arena.Request] = []
        for (index, buffer) in builder.buffers.enumerated() {
            guard case .arena(let byteCount) = buffer, let lifetime = lifetimes[index] else { continue }
            buffers.append(index)
            requests.append(.init(byteCount: byteCount, lifetime: lifetime))
        }
        let (offsets, byteCount) = Arena.place(requests)
        return (Dictionary(uniqueKeysWithValues: zip(buffers, offsets)), byteCount)
    }

    private func address(
        _ operand: Operand, _ builder: PlanBuilder, _ offsets: [Int: Int]
    ) throws -> UnsafeMutableRawPointer {
        switch builder.buffers[operand.buffer] {
        case .arena:
            guard let offset = offsets[operand.buffer] else {
                preconditionFailure("buffer \(operand.buffer) is used but has no place")
            }
            return arena + offset
        case .constant(let storage):
            guard let start = storage.bytes.baseAddress else {
                throw ExecutionError(.library, operation: "address of a constant", found: "none")
            }
            constants.append(storage)
            // oneDNN takes mutable handles for what it only reads.
            return UnsafeMutableRawPointer(mutating: start)
        }
    }

    /// Turns buffers into addresses and instructions into actions.
    private func bind(_ builder: PlanBuilder, _ offsets: [Int: Int]) throws {
        func memory(_ layout: MemoryDescriptor, at address: UnsafeMutableRawPointer) throws -> dnnl_memory_t {
            let memory = try Memory(layout, at: address, engine: engine)
            memories.append(memory)
            return memory.handle
        }
        func elements(_ operand: Operand) throws -> UnsafeMutablePointer<Float> {
            try address(operand, builder, offsets).assumingMemoryBound(to: Float.self)
        }
        for instruction in builder.instructions {
            switch instruction {
            case .primitive(let primitive, let arguments):
                var bound = try arguments.map { argument, operand in
                    dnnl_exec_arg_t(
                        arg: argument,
                        memory: try memory(operand.layout, at: address(operand, builder, offsets)))
                }
                if primitive.scratchpadByteCount > 0 {
                    let scratchpad = try memory(
                        primitive.layout(dnnl_query_scratchpad_md), at: arena + arenaByteCount)
                    bound.append(dnnl_exec_arg_t(arg: DNNL_ARG_SCRATCHPAD, memory: scratchpad))
                }
                actions.append(.primitive(primitive, bound))
            case .native(let operands, let body):
                actions.append(.native(body, try operands.map(elements)))
            case .tap(let name, let operand):
                let count = operand.layout.byteCount / MemoryLayout<Float>.stride
                let buffer = UnsafeMutableBufferPointer(start: try elements(operand), count: count)
                actions.append(
                    .tap(Tap(name: name, elements: buffer, layoutZeros: operand.layout.paddingCount)))
            }
        }
    }
}

@available(*, unavailable)
extension Plan: Sendable {}
