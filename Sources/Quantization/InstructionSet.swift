import CKernels

/// Which variant of the kernels runs. All give the same bits; a job pins one so that no result can depend on the
/// machine even if one day they do not.
public enum InstructionSet: String, Codable, CaseIterable, Comparable, Sendable {
    case scalar, avx2, avx512

    /// The highest that this machine has and that the kernels have a variant for.
    public static let best = InstructionSet(qs_best_isa())

    init(_ isa: qs_isa) {
        switch isa {
        case QS_ISA_AVX512: self = .avx512
        case QS_ISA_AVX2: self = .avx2
        default: self = .scalar
        }
    }

    package var isa: qs_isa {
        switch self {
        case .scalar: QS_ISA_SCALAR
        case .avx2: QS_ISA_AVX2
        case .avx512: QS_ISA_AVX512
        }
    }

    public static func < (left: InstructionSet, right: InstructionSet) -> Bool {
        left.isa.rawValue < right.isa.rawValue
    }
}
