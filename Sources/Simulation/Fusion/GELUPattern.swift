import Graph

/// GELU in elementary ops: `x / 2 + x / 2 * f(x)`, where f is `erf(x / sqrt 2)` or, approximately,
/// `tanh(sqrt(2 / pi) * (x + 0.044715 * x^3))`.
///
/// Exporters differ in how they order and group the factors, so what is compared are polynomials in x. The reference has
/// no such pass.
enum GELUPattern {
    /// - Parameter anchor: the node of f.
    static func fusions(around anchor: Int, in graph: PatternGraph) -> [Fusion] {
        let node = graph.nodes[anchor]
        let wanted: Polynomial
        switch node.opType {
        case "Erf": wanted = Polynomial(0, 0.5.squareRoot(), 0, 0)
        case "Tanh": wanted = Polynomial(0, 1, 0, 0.044715) * (2 / Double.pi).squareRoot()
        default: return []
        }
        guard node.inputs.count == 1, let f = node.outputs.first else { return [] }
        for input in sources(of: node.inputs[0], in: graph) {
            guard let argument = Reader(graph: graph, input: input, f: nil).expression(node.inputs[0]),
                argument.isNear(Expression(plain: wanted)),
                let (last, result) = result(of: f, input: input, in: graph)
            else { continue }
            let nodes = argument.nodes.union(result.nodes).union([anchor])
            return [Fusion(pass: .gelu, opType: "Gelu", inputs: [input], nodes: nodes, last: last)]
        }
        return []
    }

    /// The node behind f that makes x / 2 + x / 2 * f.
    private static func result(of f: String, input: String, in graph: PatternGraph) -> (Int, Expression)? {
        let wanted = Expression(plain: [0, 0.5, 0, 0], factor: [0, 0.5, 0, 0])
        let reader = Reader(graph: graph, input: input, f: f)
        var value = f
        while let next = graph.uses.soleConsumer(of: value), let output = graph.nodes[next].outputs.first,
            let expression = reader.expression(output)
        {
            if expression.isNear(wanted) { return (next, expression) }
            value = output
        }
        return nil
    }

    /// What a value may be a polynomial in, nearest first: values that it is computed from by arithmetic alone.
    private static func sources(of value: String, in graph: PatternGraph) -> [String] {
        var found = [value]
        var next = 0
        while next < found.count, found.count < 16 {
            if let producer = graph.uses.producers[found[next]].map({ graph.nodes[$0] }),
                ["Add", "Sub", "Mul", "Div", "Pow"].contains(producer.opType)
            {
                found += Set(producer.inputs).sorted().filter { graph.constants[$0] == nil && !found.contains($0) }
            }
            next += 1
        }
        return found
    }
}

/// Coefficients of x^0 to x^3.
private typealias Polynomial = SIMD4<Double>

/// `plain + factor * f`.
private struct Expression {
    var plain: Polynomial = .zero
    var factor: Polynomial = .zero
    /// What computes it from x, f and constants.
    var nodes: Set<Int> = []

    /// Nil where it is more than a number.
    var number: Double? { factor == .zero && plain == [plain[0], 0, 0, 0] ? plain[0] : nil }

    /// Exporters write constants with four digits or more.
    func isNear(_ other: Expression) -> Bool {
        [(plain, other.plain), (factor, other.factor)].allSatisfy { own, other in
            (0..<4).allSatisfy { abs(own[$0] - other[$0]) <= 1e-4 * abs(other[$0]) }
        }
    }

    static func + (left: Expression, right: Expression) -> Expression {
        Expression(plain: left.plain + right.plain, factor: left.factor + right.factor)
    }

    func scaled(by number: Double) -> Expression { Expression(plain: plain * number, factor: factor * number) }

    /// Nil where the product is none: with f^2, or of a degree above three.
    func times(_ other: Expression) -> Expression? {
        guard factor == .zero || other.factor == .zero, let plain = product(plain, other.plain),
            let left = product(self.plain, other.factor), let right = product(factor, other.plain)
        else { return nil }
        return Expression(plain: plain, factor: left + right)
    }

    private func product(_ left: Polynomial, _ right: Polynomial) -> Polynomial? {
        var result = Polynomial.zero
        for i in 0..<4 where left[i] != 0 {
            for j in 0..<4 where right[j] != 0 {
                guard i + j < 4 else { return nil }
                result[i + j] += left[i] * right[j]
            }
        }
        return result
    }
}

/// Reads values as expressions in x and f.
private struct Reader {
    let graph: PatternGraph
    let input: String
    let f: String?

    /// Nil where the value is no such expression, or is made in more than six steps.
    func expression(_ value: String, steps: Int = 6) -> Expression? {
        if value == input { return Expression(plain: [0, 1, 0, 0]) }
        if value == f { return Expression(factor: [1, 0, 0, 0]) }
        if let number = graph.number(value) { return Expression(plain: [Double(number), 0, 0, 0]) }
        guard steps > 0, let index = graph.uses.producers[value], graph.nodes[index].inputs.count == 2,
            let left = expression(graph.nodes[index].inputs[0], steps: steps - 1),
            let right = expression(graph.nodes[index].inputs[1], steps: steps - 1)
        else { return nil }
        var result: Expression?
        switch graph.nodes[index].opType {
        case "Add": result = left + right
        case "Sub": result = left + right.scaled(by: -1)
        case "Mul": result = left.times(right)
        case "Div": result = right.number.map { left.scaled(by: 1 / $0) }
        case "Pow" where right.number == 2: result = left.times(left)
        case "Pow" where right.number == 3: result = left.times(left)?.times(left)
        default: result = nil
        }
        result?.nodes = left.nodes.union(right.nodes).union([index])
        return result
    }
}
