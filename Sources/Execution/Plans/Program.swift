import Foundation
import Tensors

/// The instructions of a plan, bound to memory: one arena for all values, and the scratchpad behind it.
final class Program {
    /// What a run shows to the caller on its way.
    enum Event {
        case tap(Plan.Tap)
        case parameter(String, UnsafeMutableBufferPointer<Float>)
        case statistics(BatchStatistics)
        case loss
        case gradientTap(Plan.Tap)
        case gradient(String, UnsafeBufferPointer<Float>)
    }

    private enum Action {
        case primitive(Invocation)
        case native(([UnsafeMutablePointer<Float>]) -> Void, [UnsafeMutablePointer<Float>])
        case event(Event)
    }

    /// Bytes of the memory that values share.
    let arenaByteCount: Int
    private let owner = pthread_self()
    private let engine: Engine
    /// The values' memory, then the primitives' scratchpad.
    private let arena: UnsafeMutableRawPointer
    private let buffers: [Buffer]
    /// Places in the arena by buffer, in bytes.
    private let places: [Int: Int]
    private var actions: [Action] = []

    /// - Parameters:
    ///   - entries: what is written before each run.
    ///   - results: what is read after it.
    init(_ builder: PlanBuilder, entries: [Operand], results: [Operand]) throws {
        engine = builder.engine
        buffers = builder.buffers
        let byteCount: Int
        (places, byteCount) = Self.place(builder, entries: entries, results: results)
        arenaByteCount = byteCount
        let total = byteCount + builder.scratchpadByteCount + Arena.alignment
        try PlanMemory.check(total)
        arena = UnsafeMutableRawPointer.allocate(byteCount: total, alignment: Arena.alignment)
        arena.initializeMemory(as: UInt8.self, repeating: 0, count: total)
        try bind(builder.instructions)
    }

    deinit { arena.deallocate() }

    /// Places in the arena by buffer, in bytes, and the bytes of all. A buffer lives from the first instruction that touches it
    /// to the last; entries live from before the first instruction, results until after the last.
    private static func place(
        _ builder: PlanBuilder, entries: [Operand], results: [Operand]
    ) -> (places: [Int: Int], byteCount: Int) {
        var lifetimes: [Int: ClosedRange<Int>] = [:]
        func touch(_ buffer: Int, at time: Int) {
            let lifetime = lifetimes[buffer] ?? time...time
            lifetimes[buffer] = min(lifetime.lowerBound, time)...max(lifetime.upperBound, time)
        }
        for operand in entries { touch(operand.buffer, at: -1) }
        for (time, instruction) in builder.instructions.enumerated() {
            for buffer in instruction.buffers { touch(buffer, at: time) }
        }
        for operand in results { touch(operand.buffer, at: builder.instructions.count) }

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

    /// OpenMP would compute with more than one thread elsewhere, and oneDNN's stream is not to be shared.
    func checkThread() {
        precondition(pthread_equal(owner, pthread_self()) != 0, "a plan was run on a thread that did not make it")
    }

    /// Called after each action with what it did, for profiles.
    var observer: ((String) -> Void)?

    /// Executes the instructions in order.
    func run(_ receive: (Event) throws -> Void) throws {
        for action in actions {
            switch action {
            case .primitive(let invocation): try invocation.execute()
            case .native(let body, let addresses): body(addresses)
            case .event(let event): try receive(event)
            }
            if let observer { observer(Self.description(action)) }
        }
    }

    /// All elements of an operand in memory order.
    func elements(_ operand: Operand) -> UnsafeMutableBufferPointer<Float> {
        UnsafeMutableBufferPointer(
            start: pointer(operand), count: operand.layout.byteCount / MemoryLayout<Float>.stride)
    }

    /// The elements of a row-major operand.
    func logicalElements(_ operand: Operand) -> UnsafeMutableBufferPointer<Float> {
        UnsafeMutableBufferPointer(start: pointer(operand), count: operand.layout.shape.count)
    }

    /// oneDNN's implementation names in order, for profiles.
    var implementations: [String] {
        actions.compactMap {
            if case .primitive(let invocation) = $0 { invocation.primitive.implementation } else { nil }
        }
    }

    private static func description(_ action: Action) -> String {
        switch action {
        case .primitive(let invocation): "\(invocation.primitive.implementation): \(invocation.primitive.name)"
        case .native: "loop"
        case .event: "caller"
        }
    }

    private func address(_ operand: Operand) -> UnsafeMutableRawPointer {
        switch buffers[operand.buffer] {
        case .arena:
            guard let place = places[operand.buffer] else {
                preconditionFailure("buffer \(operand.buffer) is used but has no place")
            }
            return arena + place + operand.offset * MemoryLayout<Float>.stride
        case .constant(let storage):
            guard let start = storage.bytes.baseAddress else { preconditionFailure("a constant without memory") }
            // oneDNN takes mutable handles for what it only reads.
            return UnsafeMutableRawPointer(mutating: start) + operand.offset * MemoryLayout<Float>.stride
        }
    }

    private func pointer(_ operand: Operand) -> UnsafeMutablePointer<Float> {
        address(operand).assumingMemoryBound(to: Float.self)
    }

    private func shown(_ name: String, _ operand: Operand) -> Plan.Tap {
        Plan.Tap(
            name: name, elements: elements(operand), layoutZeros: operand.layout.paddingCount,
            layout: operand.layout.key)
    }

    /// Turns buffers into addresses and instructions into actions.
    private func bind(_ instructions: [Instruction]) throws {
        let scratchpad = arena + arenaByteCount
        for instruction in instructions {
            switch instruction {
            case .primitive(let primitive, let arguments):
                let bound = arguments.map { argument, operand in (argument, operand.layout, address(operand)) }
                actions.append(
                    .primitive(try Invocation(primitive, bound, scratchpad: scratchpad, engine: engine)))
            case .native(let operands, let body): actions.append(.native(body, operands.map(pointer)))
            case .tap(let name, let operand): actions.append(.event(.tap(shown(name, operand))))
            case .parameter(let name, let operand):
                actions.append(.event(.parameter(name, logicalElements(operand))))
            case .statistics(let name, let mean, let variance, let count):
                actions.append(
                    .event(
                        .statistics(
                            BatchStatistics(
                                output: name, mean: UnsafeBufferPointer(logicalElements(mean)),
                                variance: UnsafeBufferPointer(logicalElements(variance)), valuesPerChannel: count))))
            case .loss: actions.append(.event(.loss))
            case .gradientTap(let name, let operand): actions.append(.event(.gradientTap(shown(name, operand))))
            case .gradient(let name, let operand):
                actions.append(.event(.gradient(name, UnsafeBufferPointer(logicalElements(operand)))))
            }
        }
    }
}
