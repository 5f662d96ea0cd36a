import Nodes
import Tensors

/// Products of quantized integers: MatMulInteger and ConvInteger give the sums, of int32; the others scale them, and most round them
/// then and add the zero point of the output.
public struct IntegerProduct: Operator {
    /// Where operands stand among the inputs; nil for those that an operator does not have.
    package struct Places: Sendable {
        package var data, weight: Int
        package var dataScale, dataZero, weightScale, weightZero: Int?
        package var outputScale, outputZero: Int?
        /// Of int32 in units of both scales where the result is quantized, else added to the scaled sums.
        package var bias: Int?

        fileprivate static let all: [String: (places: Places, inputs: ClosedRange<Int>)] = [
            "MatMulInteger": (Places(data: 0, weight: 1, dataZero: 2, weightZero: 3), 2...4),
            "ConvInteger": (Places(data: 0, weight: 1, dataZero: 2, weightZero: 3), 2...4),
            "QLinearMatMul": (quantized(bias: nil), 8...8),
            "QLinearConv": (quantized(bias: 8), 8...9),
            "QGemm": (
                Places(
                    data: 0, weight: 3, dataScale: 1, dataZero: 2, weightScale: 4, weightZero: 5, outputScale: 7,
                    outputZero: 8, bias: 6), 6...9
            ),
            "MatMulIntegerToFloat": (
                Places(data: 0, weight: 1, dataScale: 2, dataZero: 4, weightScale: 3, weightZero: 5, bias: 6), 4...7
            ),
        ]

        private static func quantized(bias: Int?) -> Places {
            Places(
                data: 0, weight: 3, dataScale: 1, dataZero: 2, weightScale: 4, weightZero: 5, outputScale: 6,
                outputZero: 7, bias: bias)
        }
    }

    public static let opTypes = [
        "MatMulInteger", "ConvInteger", "QLinearMatMul", "QLinearConv", "com.microsoft.QLinearConv",
        "com.microsoft.QGemm", "com.microsoft.MatMulIntegerToFloat",
    ]

    package let node: Node
    package let places: Places
    /// Attributes of the convolution.
    package let attributes: [String: Attribute]
    /// Factor of the product.
    package let alpha: Float
    /// Whether data and weight are given with rows and columns exchanged.
    package let transposes: (data: Bool, weight: Bool)
    /// What remains without zero points and scales, on integers of 32 bits.
    private let product: any Operator

    package var isConvolution: Bool { node.opType.contains("Conv") }
    package var isQuantized: Bool {
        places.outputScale.map { $0 < node.inputs.count && !node.inputs[$0].isEmpty } ?? false
    }

    public init(node: Node, opsetVersion: Int) throws {
        guard let (places, arity) = Places.all[node.opType] else {
            throw GraphError(.unsupportedOperators, at: node, found: node.opType)
        }
        try node.checkArity(inputs: arity)
        (self.node, self.places) = (node, places)
        var attributes = AttributeReader(node)
        let isGemm = node.opType == "QGemm"
        alpha = isGemm ? try attributes.float("alpha", default: 1) : 1
        transposes = isGemm ? (try attributes.flag("transA"), try attributes.flag("transB")) : (false, false)
        let isLast = node.opType == "QLinearConv" ? try attributes.flag("channels_last") : false
        guard !isLast else { throw GraphError(.invalidAttribute, at: node, expected: "channels_last 0", found: "1") }
        let isConvolution = node.opType.contains("Conv")
        if !isConvolution { try attributes.finish() }
        var kept = isConvolution ? node.attributes : [:]
        kept["channels_last"] = nil
        self.attributes = kept
        product = try KnownOperators.make(
            node: Node(
                name: node.name, opType: isConvolution ? "Conv" : "MatMul", inputs: ["data", "weight"],
                outputs: ["product"], attributes: kept), opsetVersion: opsetVersion)
    }

    public func outputTypes(inputs: [OperatorInput?]) throws -> [ValueType] {
        let (data, weight) = (try node.input(inputs, places.data), try node.input(inputs, places.weight))
        for input in [data, weight] where ![.int8, .uint8, .int16, .uint16].contains(input.type.elementType) {
            throw GraphError(
                .unsupportedElementType, at: node, tensor: input.name, expected: "integers of 8 or 16 bits",
                found: input.type.elementType.rawValue)
        }
        let (dataShape, weightShape) = (
            try turned(data, if: transposes.data), try turned(weight, if: transposes.weight)
        )
        let shape = try product.outputTypes(inputs: [
            OperatorInput(name: data.name, type: ValueType(.int32, dataShape), constant: nil),
            OperatorInput(name: weight.name, type: ValueType(.int32, weightShape), constant: nil),
        ])[0].shape
        try checkParameters(inputs, places.dataScale, places.dataZero, data, dataShape, isData: true)
        try checkParameters(inputs, places.weightScale, places.weightZero, weight, weightShape, isData: false)
        if let bias = places.bias.flatMap({ node.optional(inputs, $0) }) {
            let type: ElementType = places.outputScale == nil ? .float32 : .int32
            let fits =
                isConvolution
                ? bias.type.shape == [weightShape[0]] : Shape.broadcast(bias.type.shape, shape) == shape
            guard fits, bias.type.elementType == type else {
                throw GraphError(
                    .shapeMismatch, at: node, tensor: bias.name,
                    expected: "\(type.rawValue) that broadcasts to \(shape)",
                    found: "\(bias.type.elementType.rawValue) \(bias.type.shape)")
            }
        }
        guard isQuantized, let scale = places.outputScale, let zero = places.outputZero else {
            return [ValueType(places.dataScale == nil ? .int32 : .float32, shape)]
        }
        let (step, offset) = (try node.input(inputs, scale), node.optional(inputs, zero))
        guard step.type.shape.count == 1, offset?.type.shape.count ?? 1 == 1 else {
            throw GraphError(
                .shapeMismatch, at: node, tensor: step.name, expected: "one scale and zero point of the output",
                found: "\(step.type.shape) and \(offset?.type.shape ?? [])")
        }
        return [ValueType(offset?.type.elementType ?? data.type.elementType, shape)]
    }

    private func turned(_ input: OperatorInput, if isTurned: Bool) throws -> Shape {
        let shape = input.type.shape
        guard isTurned else { return shape }
        guard shape.rank == 2 else {
            throw GraphError(
                .shapeMismatch, at: node, tensor: input.name, expected: "a matrix", found: "\(shape)")
        }
        return [shape[1], shape[0]]
    }

    /// Scale and zero point are one number, or one for each row of the data, column of the weight, or feature.
    private func checkParameters(
        _ inputs: [OperatorInput?], _ scale: Int?, _ zero: Int?, _ operand: OperatorInput, _ shape: Shape, isData: Bool
    ) throws {
        let (scale, zero) = (scale.flatMap { node.optional(inputs, $0) }, zero.flatMap { node.optional(inputs, $0) })
        for parameter in [scale, zero].compactMap({ $0 })
        where parameterShape(parameter.type.shape, of: shape, isData: isData) == nil {
            throw GraphError(
                .shapeMismatch, at: node, tensor: parameter.name,
                expected: "one number, or some that fit \(shape)", found: "\(parameter.type.shape)")
        }
        if let zero, zero.type.elementType != operand.type.elementType {
            throw GraphError(
                .unsupportedElementType, at: node, tensor: zero.name, expected: operand.type.elementType.rawValue,
                found: zero.type.elementType.rawValue)
        }
        if let scale, !scale.type.elementType.isFloatingPoint {
            throw GraphError(
                .unsupportedElementType, at: node, tensor: scale.name, expected: "a floating-point type",
                found: scale.type.elementType.rawValue)
        }
    }

    /// The shape under which scales or zero points broadcast to an operand; nil where they do not fit.
    package func parameterShape(_ shape: Shape, of operand: Shape, isData: Bool) -> Shape? {
        if shape.count == 1 { return [] }
        if isConvolution {
            guard !isData, shape == [operand[0]] else { return nil }
            return Shape([operand[0]] + operand.dimensions.dropFirst().map { _ in 1 })
        }
        guard operand.rank >= 2 else { return nil }
        let (rows, columns) = (operand[operand.rank - 2], operand[operand.rank - 1])
        if shape.rank == 1 { return shape[0] == (isData ? rows : columns) ? (isData ? [rows, 1] : [columns]) : nil }
        // One axis of the rows of the data, or of the columns of the weight, is left.
        guard shape.rank == operand.rank, shape[shape.rank - (isData ? 1 : 2)] == 1 else { return nil }
        return Shape.broadcast(shape, operand) == operand ? shape : nil
    }
}
