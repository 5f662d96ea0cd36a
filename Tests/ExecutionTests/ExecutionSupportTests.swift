import Execution
import Graph
import Nodes
import Operators
import Testing

struct ExecutionSupportTests {
    private struct Unheard: Operator {
        static let opTypes = ["Unheard"]
        init(node: Node, opsetVersion: Int) {}
        func outputTypes(inputs: [OperatorInput?]) -> [ValueType] { [] }
    }

    @Test func allMissingOperatorsAreNamedAtOnce() throws {
        func step(_ opType: String) -> SpecializedGraph.Step {
            let node = Node(name: opType, opType: opType, inputs: [], outputs: [])
            return .init(node: node, operator: Unheard(node: node, opsetVersion: 17))
        }
        let graph = SpecializedGraph(
            inputs: [], outputs: [], steps: [step("Zig"), step("Alpha"), step("Zig")], constants: [:], types: [:])
        #expect(throws: GraphError(.unsupportedOperators, found: "Alpha, Zig")) { try ExecutionSupport.check(graph) }
    }
}
