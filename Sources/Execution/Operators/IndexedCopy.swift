import Graph
import Tensors

extension PlanBuilder {
    /// Compiles an operator that only picks elements: each output element is one input element or a fill value, by a table
    /// that is made now.
    /// - Parameter source: for the output element at `position` (one index per axis), the row-major index of the input
    ///   element, or nil for the fill value.
    func buildIndexedCopy(_ unit: Unit, fill: Float = 0, source: ([Int]) -> Int?) throws {
        let shape = try shape(unit.outputs[0])
        var table: [Int32] = []
        table.reserveCapacity(shape.count)
        var position = [Int](repeating: 0, count: shape.rank)
        for _ in 0..<shape.count {
            table.append(source(position).map(Int32.init) ?? -1)
            for axis in shape.dimensions.indices.reversed() {
                position[axis] += 1
                if position[axis] < shape[axis] { break }
                position[axis] = 0
            }
        }
        tape?.sources[unit.outputs[0]] = table
        let input = try plainOperand(unit.node.inputs[0])
        let output = allocate(try MemoryDescriptor(plain: shape))
        emit([input, output]) { [table] pointers in
            for (index, source) in table.enumerated() {
                pointers[1][index] = source < 0 ? fill : pointers[0][Int(source)]
            }
        }
        define(unit.outputs[0], at: output)
    }
}
