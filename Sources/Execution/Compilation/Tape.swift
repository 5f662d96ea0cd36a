import Primitives

/// What the backward pass of a plan needs to know of its forward pass.
final class Tape {
    /// A primitive of the forward pass and the memories that it worked on.
    struct Record {
        let primitive: Primitive
        fileprivate let operands: [Argument: Operand]

        /// - Throws: `ExecutionError` `.library` where the primitive had no such memory.
        subscript(argument: Argument) -> Operand {
            get throws {
                guard let operand = operands[argument] else {
                    throw ExecutionError(.library, operation: "argument \(argument) of the forward pass")
                }
                return operand
            }
        }
    }

    /// Constants of the graph that the caller writes before every run.
    let parameters: Set<String>
    /// Outputs of batch normalizations that compute with the statistics of their input.
    let batchStatistics: Set<String>
    /// Tapped values that are needed as their producer left them, before the caller changed them.
    let keptBeforeTap: Set<String>
    /// Where those lie.
    var beforeTap: [String: Operand] = [:]
    /// For operators that only pick elements: the index of each output element's source, -1 for none. By output.
    var sources: [String: [Int32]] = [:]
    private var records: [String: Record] = [:]
    /// Memories of the forward pass that gradients of units read, by the unit's node.
    private var memories: [String: [[Operand]]] = [:]

    init(parameters: Set<String>, batchStatistics: Set<String>, keptBeforeTap: Set<String>) {
        self.parameters = parameters
        self.batchStatistics = batchStatistics
        self.keptBeforeTap = keptBeforeTap
    }

    func record(_ unit: Unit, _ primitive: Primitive, _ arguments: [(argument: Argument, operand: Operand)]) {
        let operands = Dictionary(arguments.map { ($0.argument, $0.operand) }) { $1 }
        records[unit.outputs[0]] = Record(primitive: primitive, operands: operands)
    }

    /// Keeps memories for the unit's gradient, in an order that its operator knows.
    func keep(_ operands: [[Operand]], for unit: Unit) { memories[unit.node.name] = operands }

    /// What was kept.
    func kept(for unit: Unit) throws -> [[Operand]] {
        guard let operands = memories[unit.node.name] else {
            throw ExecutionError(.library, operation: "memories of the forward pass")
        }
        return operands
    }

    /// The primitive that computed the unit.
    func record(of unit: Unit) throws -> Record {
        guard let record = records[unit.outputs[0]] else {
            throw ExecutionError(.library, operation: "primitive of the forward pass")
        }
        return record
    }
}
