import COneDNN
import Graph
import Tensors

extension Clip: ExecutableOperator {
    func build(_ unit: Unit, in plan: PlanBuilder) throws {
        try plan.buildEltwise(unit, Clip.eltwise(bounds(inputs: plan.operatorInputs(unit))))
    }
}

extension Clip {
    /// The bounds as oneDNN's function of one element, which takes neither infinities nor a minimum above the maximum: ONNX
    /// says that the maximum prevails then.
    static func eltwise(_ bounds: (minimum: Float, maximum: Float)) -> PostOperation {
        let limit = Float.greatestFiniteMagnitude
        let maximum = max(min(bounds.maximum, limit), -limit)
        return .eltwise(dnnl_eltwise_clip, alpha: min(max(bounds.minimum, -limit), maximum), beta: maximum)
    }
}
