import COneDNN
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
    public let arenaByteCount: Int
    private enum Action {
        case primitive(Primitive, [dnnl_exec_arg_t])
        case native(([UnsafeMutablePointer<Float>]) -> Void, [UnsafeMutablePointer<Float>])
        case tap(Tap)
    }
    private let graph: SpecializedGraph
    private let engine: Engine
    private let arena: UnsafeMutableRawPointer
    private var actions: [Action] = []
    private var memories: [Memory] = []
    private var constants: [TensorStorage] = []
    private var inputAddresses: [String: UnsafeMutablePointer<Float>] = [:]
    private var outputAddresses: [String: UnsafeMutablePointer<Float>] = [:]

    /// - Parameter taps: values that each run shows to the caller.
    /// - Throws: `ExecutionError` naming the node that cannot be compiled.
    public init(_ graph: SpecializedGraph, weights: WeightStore, taps: Set<String> = []) throws {
        ComputeLibrary.useOneThread()
        self.graph = graph
        engine = try Engine()
        let units = Fusion.units(of: graph, taps: taps)
        let builder = PlanBuilder(graph: graph, units: units, weights: weights, taps: taps, engine: engine)

        var inputs: [(name: String, operand: Operand)] = []
        for input in graph.inputs {
            let operand = builder.allocate(try MemoryDescriptor(plain: builder.shape(input)))
            inputs.append((input, operand))
            builder.define(input, at: operand)
        }
        for unit in units {
            guard let executable = unit.operator as? any ExecutableOperator else {
                throw ExecutionError(.unsupportedForm, node: unit.node.name, opType: unit.node.opType)
            }
            do {
                try executable.build(unit, in: builder)
            } catch var error as ExecutionError {
                error.node = error.node ?? unit.node.name
                error.opType = error.opType ?? unit.node.opType
                throw error
            }
            builder.finish(unit)
        }
        let outputs = try graph.outputs.map { ($0, try builder.plainOperand($0)) }

        // Lifetimes: inputs live from before the first instruction, outputs until after the last.
        let end = builder.instructions.count
        var lifetimes: [Int: ClosedRange<Int>] = [:]
        func touch(_ buffer: Int, at time: Int) {
            let lifetime = lifetimes[buffer] ?? time...time
            lifetimes[buffer] = min(lifetime.lowerBound, time)...max(lifetime.upperBound, time)
        }
        for (_, operand) in inputs { touch(operand.buffer, at: -1) }
        for (time, instruction) in builder.instructions.enumerated() {
            for buffer in instruction.buffers { touch(buffer, at: time) }
        }
        for (_, operand) in outputs { touch(operand.buffer, at: end) }

        // Places, the scratchpad behind the arena.
        var requests: [Arena.Request] = []
        var requestOf: [Int: Int] = [:]
        for (index, buffer) in builder.buffers.enumerated() {
            guard case .arena(let byteCount) = buffer, let lifetime = lifetimes[index] else { continue }
            requestOf[index] = requests.count
            requests.append(.init(byteCount: byteCount, lifetime: lifetime))
        }
        let (offsets, byteCount) = Arena.place(requests)
        arenaByteCount = byteCount
        let total = byteCount + builder.scratchpadByteCount + Arena.alignment
        arena = UnsafeMutableRawPointer.allocate(byteCount: total, alignment: Arena.alignment)
        arena.initializeMemory(as: UInt8.self, repeating: 0, count: total)

        try bind(builder, inputs, outputs, places: requestOf.mapValues { offsets[$0] })
    }

    deinit { arena.deallocate() }

    /// Computes the graph once.
    /// - Parameters:
    ///   - feed: writes the elements of each input, row-major, into its place.
    ///   - tap: receives each tapped value right after it is computed.
    public func run(
        feed: (String, UnsafeMutableBufferPointer<Float>) throws -> Void, tap: (Tap) throws -> Void = { _ in }
    ) throws {
        for (name, address) in inputAddresses {
            let count = graph.types[name]?.shape.count ?? 0
            try feed(name, UnsafeMutableBufferPointer(start: address, count: count))
        }
        for action in actions {
            switch action {
            case .primitive(let primitive, let arguments): try primitive.execute(arguments)
            case .native(let body, let addresses): body(addresses)
            case .tap(let value): try tap(value)
            }
        }
    }

    /// The elements of a graph output after a run, row-major.
    public func output(_ name: String) -> UnsafeBufferPointer<Float> {
        let count = graph.types[name]?.shape.count ?? 0
        return UnsafeBufferPointer(start: outputAddresses[name], count: count)
    }

    /// oneDNN's implementation names in order, for profiles.
    package var implementations: [String] {
        actions.compactMap { if case .primitive(let primitive, _) = $0 { primitive.implementation } else { nil } }
    }

    /// Turns buffers into addresses and instructions into actions.
    private func bind(
        _ builder: PlanBuilder, _ inputs: [(name: String, operand: Operand)], _ outputs: [(String, Operand)],
        places: [Int: Int]
    ) throws {
        func address(_ operand: Operand) -> UnsafeMutableRawPointer {
            switch builder.buffers[operand.buffer] {
            case .arena:
                return arena + (places[operand.buffer] ?? 0)
            case .constant(let storage, let byteOffset):
                constants.append(storage)
                // oneDNN takes mutable handles for what it only reads.
                return UnsafeMutableRawPointer(mutating: storage.bytes.baseAddress.unsafelyUnwrapped + byteOffset)
            }
        }
        func elements(_ operand: Operand) -> UnsafeMutablePointer<Float> {
            address(operand).assumingMemoryBound(to: Float.self)
        }
        let scratchpad = arena + arenaByteCount
        for instruction in builder.instructions {
            switch instruction {
            case .primitive(let primitive, let arguments):
                var bound = try arguments.map { argument, operand in
                    let memory = try Memory(operand.layout, at: address(operand), engine: engine)
                    memories.append(memory)
                    return dnnl_exec_arg_t(arg: argument, memory: memory.handle)
                }
                if primitive.scratchpadByteCount > 0 {
                    let memory = try Memory(
                        primitive.layout(dnnl_query_scratchpad_md), at: scratchpad, engine: engine)
                    memories.append(memory)
                    bound.append(dnnl_exec_arg_t(arg: DNNL_ARG_SCRATCHPAD, memory: memory.handle))
                }
                actions.append(.primitive(primitive, bound))
            case .native(let operands, let body):
                actions.append(.native(body, operands.map(elements)))
            case .tap(let name, let operand):
                let count = operand.layout.byteCount / MemoryLayout<Float>.stride
                let buffer = UnsafeMutableBufferPointer(start: elements(operand), count: count)
                actions.append(
                    .tap(Tap(name: name, elements: buffer, layoutZeros: operand.layout.paddingCount)))
            }
        }
        for (name, operand) in inputs { inputAddresses[name] = elements(operand) }
        for (name, operand) in outputs { outputAddresses[name] = elements(operand) }
    }
}
