import Execution
import Graph
import Nodes
import Operators
import Tensors
import Testing

struct TrainingPlanTests {
    /// A graph of the given nodes over one input x and constants.
    private static func graph(
        _ shape: Shape, constants: [String: Tensor] = [:], output: String = "y", _ nodes: [Node]
    ) throws -> SpecializedGraph {
        func info(_ name: String) -> ValueInfo { ValueInfo(name: name, elementType: .float32, dimensions: nil) }
        return try Graph(
            name: "graph", inputs: [info("x")], outputs: [info(output)], nodes: nodes, constants: constants,
            opsetVersion: 17
        ).specialized(inputShapes: ["x": shape])
    }

    private static func node(_ opType: String, _ inputs: [String], _ output: String) -> Node {
        Node(name: "\(opType) of \(output)", opType: opType, inputs: inputs, outputs: [output])
    }

    /// Runs with all ones as the loss's gradient.
    private static func run(
        _ plan: TrainingPlan, _ x: [Float], _ parameters: [String: [Float]] = [:],
        tap: (Plan.Tap) throws -> Void = { _ in }, gradientTap: (Plan.Tap) throws -> Void = { _ in }
    ) throws {
        try plan.run(
            feed: { _, place in _ = place.update(fromContentsOf: x) },
            parameter: { name, place in _ = place.update(fromContentsOf: parameters[name] ?? []) }, tap: tap,
            loss: { plan in plan.outputGradient("y").update(repeating: 1) }, gradientTap: gradientTap)
    }

    /// y = x * x + (-x) + x, with four uses of x: dy/dx = 2 x.
    @Test func usesOfOneValueAddUp() throws {
        let graph = try Self.graph(
            [3],
            [
                Self.node("Mul", ["x", "x"], "a"), Self.node("Neg", ["x"], "b"), Self.node("Add", ["a", "b"], "c"),
                Self.node("Add", ["c", "x"], "y"),
            ])
        let plan = try TrainingPlan(graph, parameters: [], inputGradients: true)
        try Self.run(plan, [1, -2, 5])
        #expect(Array(plan.gradient("x")) == [2, -4, 10])
    }

    /// One gradient passes through an addition to both of its inputs; a change of one must not reach the other.
    @Test func gradientTapsDoNotShareMemory() throws {
        let graph = try Self.graph(
            [2],
            [
                Self.node("Neg", ["x"], "a"), Self.node("Identity", ["x"], "b"), Self.node("Add", ["a", "b"], "y"),
            ])
        let plan = try TrainingPlan(graph, parameters: [], taps: ["a", "b", "y", "x"], inputGradients: true)
        var seen: [String: [Float]] = [:]
        try Self.run(
            plan, [1, 2],
            gradientTap: { tap in
                seen[tap.name] = Array(tap.elements)
                for index in tap.elements.indices { tap.elements[index] *= tap.name == "a" ? 10 : 3 }
            })
        #expect(seen["y"] == [1, 1] && seen["a"] == [3, 3] && seen["b"] == [3, 3])
        #expect(seen["x"] == [-21, -21])
        #expect(Array(plan.gradient("x")) == [-63, -63])
    }

    /// The producer's gradient is that of what it computed, not of what the caller made of it.
    @Test(arguments: ["Relu", "Sigmoid", "Exp", "Sqrt", "Softmax", "ReduceMax"])
    func changesByTapsDoNotChangeTheProducersGradient(_ opType: String) throws {
        let graph = try Self.graph(
            [1, 4], [Self.node(opType, ["x"], "a"), Self.node("Mul", ["a", "a"], "y")])
        let x: [Float] = [0.25, 1, 0.5, 2]
        var (values, gradient): ([Float], [Float]) = ([], [])
        let plain = try TrainingPlan(graph, parameters: [], taps: ["a"], inputGradients: true)
        try Self.run(plain, x, gradientTap: { gradient = Array($0.elements) })
        let expected = Array(plain.gradient("x"))
        // The same gradient for the producer, from a value that the caller has replaced.
        let plan = try TrainingPlan(graph, parameters: [], taps: ["a"], inputGradients: true)
        try Self.run(
            plan, x,
            tap: { tap in
                values = Array(tap.elements)
                tap.elements.update(repeating: -1)
            }, gradientTap: { _ = $0.elements.update(fromContentsOf: gradient) })
        #expect(values.allSatisfy { $0 > 0 })
        #expect(Array(plan.gradient("x")) == expected)
    }

    @Test func sameBitsInEveryRunAndPlan() throws {
        let drawn = RandomGraph(seed: 5, steps: 40)
        let network = NetworkWithGradients(
            try drawn.graph.specialized(inputShapes: drawn.inputs.mapValues(\.shape)), drawn.inputs)
        func bits(_ plan: TrainingPlan) throws -> [[UInt32]] {
            try network.run(plan)
            return network.variables.map { plan.gradient($0).map(\.bitPattern) }
        }
        let plan = try network.plan()
        let first = try bits(plan)
        #expect(try bits(plan) == first)
        #expect(try bits(network.plan()) == first)
    }

    @Test func parametersThatAreNotWrittenAreRefused() throws {
        let graph = try Self.graph(
            [2], constants: ["w": Tensor(shape: [2], [Float(1), 2])], [Self.node("Mul", ["x", "w"], "y")])
        let plan = try TrainingPlan(graph, parameters: ["w"])
        #expect(throws: ExecutionError(.inputMismatch, tensor: "w", expected: "2 elements", found: "none")) {
            try Self.run(plan, [1, 2])
        }
        #expect(throws: ExecutionError(.inputMismatch, tensor: "x", expected: "2 elements", found: "none")) {
            try Self.run(plan, [], ["w": [1, 2]])
        }
        try Self.run(plan, [1, 2], ["w": [3, 4]])
        #expect(Array(plan.output("y")) == [3, 8] && Array(plan.gradient("w")) == [1, 2])
    }

    @Test func onlyFloatConstantsAreParameters() throws {
        let shape = Tensor(shape: [1], [Int64(2)])
        let graph = try Self.graph([1, 2], constants: ["s": shape], [Self.node("Reshape", ["x", "s"], "y")])
        for (name, found) in [("s", "int64"), ("x", "none"), ("absent", "none")] {
            #expect(
                throws: ExecutionError(
                    .inputMismatch, tensor: name, expected: "a float32 constant of the graph", found: found)
            ) { try TrainingPlan(graph, parameters: [name]) }
        }
    }

    @Test func statisticsOfBatchNormsAreNotTrained() throws {
        let vector = Tensor(shape: [3], [Float(1), 2, 3])
        let graph = try Self.graph(
            [1, 3, 2], constants: ["s": vector, "b": vector, "m": vector, "v": vector],
            [Self.node("BatchNormalization", ["x", "s", "b", "m", "v"], "y")])
        _ = try TrainingPlan(graph, parameters: ["s", "b"])
        #expect(
            throws: ExecutionError(
                .unsupportedForm, node: "BatchNormalization of y", opType: "BatchNormalization", tensor: "v",
                expected: "statistics that are not trained")
        ) { try TrainingPlan(graph, parameters: ["s", "v"]) }
    }

    /// Nothing is computed for values before the first parameter, nor shown, unless a tap asks for it.
    @Test func onlyWhatIsNeededIsDifferentiated() throws {
        let graph = try Self.graph(
            [2], constants: ["w": Tensor(shape: [2], [Float(1), 2])],
            [Self.node("Exp", ["x"], "a"), Self.node("Mul", ["a", "w"], "y")])
        func shown(_ gradientTaps: Set<String>) throws -> [String] {
            let plan = try TrainingPlan(graph, parameters: ["w"], taps: ["x", "a", "y"], gradientTaps: gradientTaps)
            var names: [String] = []
            try Self.run(plan, [0, 1], ["w": [3, 4]], gradientTap: { names.append($0.name) })
            return names
        }
        #expect(try shown([]) == ["y"])
        #expect(try shown(["a"]) == ["y", "a"])
        #expect(try shown(["x"]) == ["y", "a", "x"])
    }

    @Test func gradientsThroughStepsAreZero() throws {
        let graph = try Self.graph(
            [2], constants: ["w": Tensor(shape: [2], [Float(1), 2])],
            [Self.node("Mul", ["x", "w"], "a"), Self.node("Round", ["a"], "y")])
        let plan = try TrainingPlan(graph, parameters: ["w"])
        try Self.run(plan, [1, 2], ["w": [3, 4]])
        #expect(Array(plan.gradient("w")) == [0, 0])
    }

    /// y = w * Softmax(x + mask): p = [1/4, 3/4, 0], and dy/dx = p (w - w . p), zero where nothing is seen.
    @Test(arguments: [-Float.greatestFiniteMagnitude, -Float.infinity, -10000])
    func gradientsThroughMasksAreFinite(_ least: Float) throws {
        let constants: [String: Tensor] = [
            "mask": Tensor(shape: [1, 3], [0, 0, least]), "w": Tensor(shape: [1, 3], [Float(4), 8, 100]),
        ]
        let graph = try Self.graph(
            [1, 3], constants: constants,
            [
                Self.node("Add", ["x", "mask"], "m"), Self.node("Softmax", ["m"], "p"),
                Self.node("Mul", ["p", "w"], "y"),
            ])
        let plan = try TrainingPlan(graph, parameters: [], inputGradients: true)
        try Self.run(plan, [0, 1.0986123, 50])
        for (found, expected) in zip(plan.gradient("x"), [-0.75, 0.75, 0] as [Float]) {
            #expect(abs(found - expected) < 1e-5)
        }
    }
}
