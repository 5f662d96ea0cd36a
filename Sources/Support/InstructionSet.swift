import CKernels
import Synchronization

/// The vector instructions that a process computes with. A job pins one, so that no result depends on the machine: oneDNN's
/// bits do, and the kernels' would if one day their variants differed.
public enum InstructionSet: String, Codable, CaseIterable, Comparable, Sendable {
    /// None. The kernels' definition, and what remains on machines that cannot be pinned to more.
    case scalar
    case avx2
    /// AVX-512 F, BW, DQ and VL.
    case avx512

    /// The highest that this machine has and that the kernels have a variant for.
    public static let best = InstructionSet(qs_best_isa())

    /// What the process is pinned to; the best of this machine where nothing is pinned.
    public static var pinned: InstructionSet { state.withLock { $0 } ?? best }

    private static let state = Mutex<InstructionSet?>(nil)

    /// Pins the process for its life: the first to come decides.
    /// - Parameters:
    ///   - wanted: at most `best`.
    ///   - apply: called once, before anything is pinned, to keep to it what else computes; where it throws, nothing is
    ///     pinned.
    /// - Returns: what the process is pinned to from now on, which is another where one was pinned before.
    package static func pin(_ wanted: InstructionSet, apply: () throws -> Void) rethrows -> InstructionSet {
        precondition(wanted <= best, "this machine has no \(wanted.rawValue)")
        return try state.withLock { pinned in
            if let pinned { return pinned }
            try apply()
            pinned = wanted
            return wanted
        }
    }

    /// Pins the kernels alone.
    package static func pin(_ wanted: InstructionSet) -> InstructionSet { pin(wanted) {} }

    /// Whether anything has pinned the process.
    package static var isPinned: Bool { state.withLock { $0 != nil } }

    private init(_ isa: qs_isa) {
        switch isa {
        case QS_ISA_AVX512: self = .avx512
        case QS_ISA_AVX2: self = .avx2
        default: self = .scalar
        }
    }

    /// As the kernels take it.
    package var isa: qs_isa {
        switch self {
        case .scalar: QS_ISA_SCALAR
        case .avx2: QS_ISA_AVX2
        case .avx512: QS_ISA_AVX512
        }
    }

    /// Narrower ones first.
    public static func < (left: InstructionSet, right: InstructionSet) -> Bool {
        left.isa.rawValue < right.isa.rawValue
    }
}
