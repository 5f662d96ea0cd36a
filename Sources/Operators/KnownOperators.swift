import CompositeOperators
import Nodes

/// The operators that are known, by ONNX op type: the one place beside its own file where the rule of an operator stands.
public enum KnownOperators {
    /// Swift cannot list the conforming types by itself.
    private static let all: [any Operator.Type] = [
        Accumulation.self,
        AffineGrid.self,
        Attention.self,
        BatchNormalization.self,
        BiasedActivation.self,
        BitCast.self,
        BitwiseFunction.self,
        BlockRearrangement.self,
        Branch.self,
        Cast.self,
        CastLike.self,
        CausalConvolution.self,
        CenterCropPad.self,
        ClassificationLoss.self,
        Clip.self,
        ColumnsToImage.self,
        Comparison.self,
        Compression.self,
        Concat.self,
        ConstantValue.self,
        ContributedAttention.self,
        Convolution.self,
        DeformableConvolution.self,
        Determinant.self,
        DiscreteFourierTransform.self,
        Einsum.self,
        ElementTest.self,
        ElementwiseBinary.self,
        ElementwiseUnary.self,
        ElementwiseVariadic.self,
        EmbeddingNormalization.self,
        Expand.self,
        ExtremePlace.self,
        FilledConstant.self,
        FusedProduct.self,
        GatedUnit.self,
        Gather.self,
        GeneralMatrixProduct.self,
        GlobalPooling.self,
        GridSampling.self,
        GroupedNormalization.self,
        Hardmax.self,
        IdentityMatrix.self,
        IndexedGather.self,
        IntegerProduct.self,
        LayerNormalization.self,
        LinearAttention.self,
        LinearQuantization.self,
        LocalResponseNormalization.self,
        Loop.self,
        MatrixProduct.self,
        MaxUnpooling.self,
        MelWeightMatrix.self,
        NonMaximumSuppression.self,
        NonZeroPlaces.self,
        NormNormalization.self,
        NormPooling.self,
        NumberRange.self,
        OneHot.self,
        Pad.self,
        Pooling.self,
        QuantizedFunction.self,
        Ranking.self,
        Recurrence.self,
        Reduce.self,
        RegionPooling.self,
        Reshaping.self,
        Resize.self,
        ReverseSequence.self,
        RotaryEmbedding.self,
        Scan.self,
        Scatter.self,
        Selection.self,
        SequenceCounts.self,
        SequenceOperator.self,
        ShapeQuery.self,
        SimplifiedNormalization.self,
        SkipNormalization.self,
        Slice.self,
        Softmax.self,
        Split.self,
        TensorScatter.self,
        Tile.self,
        Transpose.self,
        TransposedConvolution.self,
        Triangle.self,
        UniqueElements.self,
        WindowFunction.self,
    ]

    private static let byType: [String: any Operator.Type] = {
        var table: [String: any Operator.Type] = [:]
        for type in all {
            for name in type.opTypes { table[name] = type }
        }
        return table
    }()

    /// The op types that are known, those of other domains than the default one with their domain: `com.microsoft.Gelu`.
    public static let supportedTypes = Set(byType.keys)

    /// The operator of each op type that is known.
    package static var types: [String: any Operator.Type] { byType }

    /// Whether the node's type is known.
    public static func supports(_ node: Node) -> Bool { type(of: node) != nil }

    private static func type(of node: Node) -> (any Operator.Type)? {
        // The default domain has no op type with a dot.
        Node.isDefault(domain: node.domain) && node.opType.contains(".") ? nil : byType[node.qualifiedType]
    }

    /// Reads a node's attributes.
    /// - Throws: `GraphError(.unsupportedOperators)` for an unknown op type, else what the operator's `init` throws.
    public static func make(node: Node, opsetVersion: Int) throws -> any Operator {
        guard let type = type(of: node) else {
            throw GraphError(.unsupportedOperators, at: node, found: node.qualifiedType)
        }
        return try type.init(node: node, opsetVersion: opsetVersion)
    }
}
