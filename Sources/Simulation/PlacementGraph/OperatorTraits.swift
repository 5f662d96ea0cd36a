/// What the placement rules need to know of ONNX op types.
enum OperatorTraits {
    /// Their outputs hold values of their input only, so they get no quantizer of their own.
    static let withoutOutputQuantizer: Set = [
        "Compress", "Flatten", "Gather", "Identity", "Reshape", "Shape", "Split", "Squeeze", "Tile", "Transpose",
        "Unsqueeze",
    ]

    /// Every output element is an input element (or zero, which every grid has): an input on a grid gives an output on
    /// it. Unless the config names the op type, its output quantizer is off, and the grid of its output is its input's.
    static let gridPreserving: Set = withoutOutputQuantizer.subtracting(["Shape"]).union([
        "Col2Im", "DepthToSpace", "Dropout", "Expand", "GatherElements", "GatherND", "MaxPool", "MaxRoiPool", "NonZero",
        "Pad", "ReduceMax", "ReduceMin", "Slice", "SpaceToDepth", "SplitToSequence", "TopK", "BatchToSpace",
        "SpaceToBatch",
    ])

    /// Their inputs take the quantizer of their output.
    static let tiedToOutput: Set = ["Concat", "Scatter", "ScatterElements", "ScatterND"]

    /// Their output takes the quantizer of their input.
    static let tiedToInput: Set = ["AveragePool", "CropAndResize", "Relu", "Resize", "Upsample"]

    /// Inputs beyond the first describe the operation and are never quantized. The reference has Resize alone here and rounds the
    /// scales of an Upsample, which then has other extents.
    static let withUnquantizedOperands: Set = ["Resize", "Upsample", "QuantizeLinear", "DequantizeLinear"]

    /// Cells whose states are outputs and inputs.
    static let recurrent: Set = ["RNN", "LSTM", "GRU"]

    /// Kind of parameter by input index, where that input is a constant.
    static func parameters(of opType: String) -> [(kind: String, input: Int)] {
        switch opType {
        case "Conv", "ConvTranspose", "Gemm", "InstanceNormalization", "LayerNormalization", "GroupNormalization":
            [("weight", 1), ("bias", 2)]
        case "MatMul", "RMSNormalization": [("weight", 1)]
        case "BatchNormalization": [("weight", 1), ("bias", 2), ("running_mean", 3), ("running_var", 4)]
        case let type where recurrent.contains(type): [("weight", 1), ("weight_r", 2), ("bias", 3)]
        default: []
        }
    }
}
