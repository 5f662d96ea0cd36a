import Graph
import Nodes
import Operators
import Primitives
import Tensors

/// Memory of a plan: the index of a buffer, and how a value lies in it.
struct Operand {
    let buffer: Int
    let layout: MemoryDescriptor
    /// Where the value begins in the buffer, in elements: not zero for a sample of a batch.
    var offset = 0
}

/// Memory of a value of any type, row-major.
struct TypedOperand {
    let buffer: Int
    let type: ValueType
}

/// What a buffer is while a plan is being built.
enum Buffer {
    /// A place in the arena, shared over time with others.
    case arena(byteCount: Int)
    /// Read only: other lanes compute with the same memory.
    case constant(TensorStorage)
}

/// One thing that a plan does.
enum Instruction {
    case primitive(Primitive, [(argument: Argument, operand: Operand)])
    /// Computes with a loop of our own; gets one pointer per operand.
    case native([Operand], ([UnsafeMutablePointer<Float>]) -> Void)
    /// As `native`, with values of any type beside: gets one more pointer for each of them.
    case typed([TypedOperand], [Operand], ([UnsafeMutableRawPointer], [UnsafeMutablePointer<Float>]) -> Void)
    /// Computes values of any type by their operator's definition; nil for an input that is absent.
    case evaluation([TypedOperand?], [TypedOperand], ([Tensor?]) throws -> [Tensor])
    /// Shows a value to the caller, who may change it.
    case tap(String, Operand)
    /// Has the caller write a parameter, row-major.
    case parameter(String, Operand)
    /// Shows the statistics of a batch to the caller: the mean and variance of each channel.
    case statistics(String, mean: Operand, variance: Operand, valuesPerChannel: Int)
    /// Has the caller read the outputs and write their gradients: outputs first, then gradients.
    case loss([Operand])
    /// Shows the gradient of a tapped value to the caller, who may change it.
    case gradientTap(String, Operand)
    /// Has the caller read the finished gradient of a parameter, row-major.
    case gradient(String, Operand)

    var buffers: [Int] {
        switch self {
        case .primitive(_, let arguments): arguments.map(\.operand.buffer)
        case .native(let operands, _): operands.map(\.buffer)
        case .typed(let typed, let operands, _): typed.map(\.buffer) + operands.map(\.buffer)
        case .evaluation(let inputs, let outputs, _): (inputs.compactMap(\.self) + outputs).map(\.buffer)
        case .tap(_, let operand), .parameter(_, let operand), .gradientTap(_, let operand), .gradient(_, let operand):
            [operand.buffer]
        case .statistics(_, let mean, let variance, _): [mean.buffer, variance.buffer]
        case .loss(let operands): operands.map(\.buffer)
        }
    }
}
