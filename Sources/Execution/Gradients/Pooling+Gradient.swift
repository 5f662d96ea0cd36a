import COneDNN
import Graph
import Tensors

extension Pooling: DifferentiableOperator {
    /// A maximum passes the gradient to the first element that has it.
    func buildGradient(_ unit: Unit, of outputs: [Operand?], in gradients: GradientBuilder) throws -> [Operand?] {
        guard let gradient = outputs[0] else { return [] }
        return [
            try gradients.ofPooling(unit, gradient) { try correctAverageGradient($0, unit, gradients.plan) }
        ]
    }
}

extension GlobalPooling: DifferentiableOperator {
    func buildGradient(_ unit: Unit, of outputs: [Operand?], in gradients: GradientBuilder) throws -> [Operand?] {
        guard let gradient = outputs[0] else { return [] }
        return [try gradients.ofPooling(unit, gradient) { $0 }]
    }
}

extension GradientBuilder {
    /// - Parameter correct: what is to be done to the gradient first.
    fileprivate func ofPooling(
        _ unit: Unit, _ gradient: Operand, correct: (Operand) throws -> Operand
    ) throws -> Operand {
        let record = try tape.record(of: unit)
        let workspace = try? record[DNNL_ARG_WORKSPACE]
        let corrected = try correct(converted(gradient, to: record[DNNL_ARG_DST].layout))
        return try pooled(corrected, forward: record.primitive, workspace: workspace, onto: record[DNNL_ARG_SRC].layout)
    }
}
