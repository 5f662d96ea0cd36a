import Foundation
import Graph
import Nodes
import Operators
import Primitives
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
        case evaluation(() throws -> Void)
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
    ///   - entries: buffers that are written before each run.
    ///   - results: buffers that are read after it.
    init(_ builder: PlanBuilder, entries: [Int], results: [Int]) throws {
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
        _ builder: PlanBuilder, entries: [Int], results: [Int]
    ) -> (places: [Int: Int], byteCount: Int) {
        var lifetimes: [Int: ClosedRange<Int>] = [:]
        func touch(_ buffer: Int, at time: Int) {
            let lifetime = lifetimes[buffer] ?? time...time
            lifetimes[buffer] = min(lifetime.lowerBound, time)...max(lifetime.upperBound, time)
        }
        for buffer in entries { touch(buffer, at: -1) }
        for (time, instruction) in builder.instructions.enumerated() {
            for buffer in instruction.buffers { touch(buffer, at: time) }
        }
        for buffer in results { touch(buffer, at: builder.instructions.count) }

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
            case .evaluation(let body): try body()
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
        case .evaluation: "definition"
        case .event: "caller"
        }
    }

    private func address(_ operand: Operand) -> UnsafeMutableRawPointer {
        address(buffer: operand.buffer) + operand.offset * MemoryLayout<Float>.stride
    }

    private func address(buffer: Int) -> UnsafeMutableRawPointer {
        switch buffers[buffer] {
        case .arena:
            guard let place = places[buffer] else { preconditionFailure("buffer \(buffer) is used but has no place") }
            return arena + place
        case .constant(let storage):
            guard let start = storage.bytes.baseAddress else { preconditionFailure("a constant without memory") }
            // oneDNN takes mutable handles for what it only reads.
            return UnsafeMutableRawPointer(mutating: start)
        }
    }

    /// The bytes of a value of any type.
    func bytes(_ operand: TypedOperand) -> UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(
            start: address(buffer: operand.buffer), count: operand.type.shape.count * operand.type.elementType.size)
    }

    /// A tensor over the memory of an operand, which must not outlive the instruction.
    private static func view(_ bytes: UnsafeMutableRawBufferPointer, _ type: ValueType) -> Tensor {
        Tensor(
            shape: type.shape, elementType: type.elementType,
            storage: TensorStorage(borrowing: UnsafeRawBufferPointer(bytes), release: {}))
    }

    /// Results are copied behind the last input that is read: they may be views of inputs.
    private func evaluation(
        _ inputs: [TypedOperand?], _ outputs: [TypedOperand], _ body: @escaping ([Tensor?]) throws -> [Tensor]
    ) -> () throws -> Void {
        let sources = inputs.map { $0.map { (bytes: bytes($0), type: $0.type) } }
        let targets = outputs.map { (bytes: bytes($0), type: $0.type) }
        return {
            let values = try body(sources.map { $0.map { Self.view($0.bytes, $0.type) } })
            for (value, target) in zip(values, targets) {
                guard ValueType(value.elementType, value.shape) == target.type else {
                    throw ExecutionError(
                        .unsupportedForm, operation: "definition", expected: "\(target.type)",
                        found: "\(value.elementType) \(value.shape)")
                }
                value.withUnsafeBytes { target.bytes.copyMemory(from: $0) }
            }
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
            case .typed(let typed, let operands, let body):
                let places = typed.map { address(buffer: $0.buffer) }
                actions.append(.native({ body(places, $0) }, operands.map(pointer)))
            case .evaluation(let inputs, let outputs, let body):
                actions.append(.evaluation(evaluation(inputs, outputs, body)))
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
