import Graph
import Nodes
import Operators
import Primitives
import Tensors

/// Fuses element-wise followers into the operators before them where nothing looks at the value in between: it has one
/// consumer, is no graph output and is not tapped.
///
/// A unit stays where its first operator was: what is fused behind it reads nothing that is computed later, but for an
/// addend, which is checked to come before.
package struct Fusion {
    private let graph: SpecializedGraph
    private let taps: Set<String>
    private let useCounts: [String: Int]
    private var units: [Unit] = []
    /// The unit that defines a value, for values defined by steps.
    private var producers: [String: Int] = [:]

    /// The units of a graph, in the order of their first steps.
    /// - Parameter taps: values that the caller wants to see, behind which nothing is fused.
    package static func units(of graph: SpecializedGraph, taps: Set<String>) -> [Unit] {
        var fusion = Fusion(graph: graph, taps: taps)
        for step in graph.steps { fusion.take(step) }
        return fusion.units
    }

    private init(graph: SpecializedGraph, taps: Set<String>) {
        self.graph = graph
        self.taps = taps
        var counts: [String: Int] = [:]
        for step in graph.steps {
            for input in step.node.inputs { counts[input, default: 0] += 1 }
        }
        useCounts = counts
    }

    private mutating func take(_ step: SpecializedGraph.Step) {
        let unit = Unit(node: step.node, operator: step.operator, outputs: step.node.outputs)
        // A definition over tensors fuses nothing.
        if !unit.isEvaluated(in: graph), fuseFunction(step) || fuseAddition(step) { return }
        for output in step.node.outputs { producers[output] = units.count }
        units.append(unit)
    }

    private mutating func fuseFunction(_ step: SpecializedGraph.Step) -> Bool {
        guard let function = postFunction(step), let value = step.node.inputs.first, isHidden(value),
            let index = producers[value], units[index].operator is any PostOperable,
            !units[index].isEvaluated(in: graph),
            units[index].post.allSatisfy(function.goes)
        else { return false }
        extend(index, with: function, as: step.node.outputs[0])
        return true
    }

    /// `convolution + other`: the convolution accumulates onto `other`, which must be computed before it.
    private mutating func fuseAddition(_ step: SpecializedGraph.Step) -> Bool {
        guard let binary = step.operator as? ElementwiseBinary, binary.function == .add,
            let output = step.node.outputs.first, let shape = graph.types[output]?.shape,
            step.node.inputs.count == 2, step.node.inputs[0] != step.node.inputs[1],
            step.node.inputs.allSatisfy({ graph.types[$0]?.shape == shape && graph.constants[$0] == nil })
        else { return false }
        let latestFirst = step.node.inputs.sorted { (producers[$0] ?? -1) > (producers[$1] ?? -1) }
        let (value, addend) = (latestFirst[0], latestFirst[1])
        guard isHidden(value), let index = producers[value], (producers[addend] ?? -1) < index,
            let fusable = units[index].operator as? any PostOperable, fusable.fusesAddition,
            !units[index].isEvaluated(in: graph),
            units[index].post.isEmpty
        else { return false }
        units[index].addend = addend
        extend(index, with: .sum, as: output)
        return true
    }

    private mutating func extend(_ index: Int, with operation: PostOperation, as output: String) {
        units[index].post.append(operation)
        units[index].outputs = [output]
        producers[output] = index
    }

    private func isHidden(_ value: String) -> Bool {
        useCounts[value] == 1 && !graph.outputs.contains(value) && !taps.contains(value)
    }

    private func postFunction(_ step: SpecializedGraph.Step) -> PostOperation? {
        guard let function = step.operator as? any ElementFunction else { return nil }
        return function.postOperation(
            inputs: step.node.inputs.map { name in
                graph.types[name].map { OperatorInput(name: name, type: $0, constant: graph.constants[name]) }
            })
    }
}
