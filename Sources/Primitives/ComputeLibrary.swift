import COneDNN
import Support

/// The compute library as this machine has it.
public enum ComputeLibrary {
    /// Name and version; part of what must agree between the workers of a job.
    public static var version: String {
        guard let version = dnnl_version()?.pointee else { return "oneDNN" }
        return "oneDNN \(version.major).\(version.minor).\(version.patch)"
    }

    /// What this machine can be pinned to, weakest first; empty where it has less than AVX2.
    public static var supportedInstructionSets: [InstructionSet] {
        InstructionSet.allCases.filter { $0.isSupported }
    }

    /// Keeps oneDNN and the kernels to one instruction set for the life of the process. Must come before any plan is
    /// compiled: the first plan of a process that has pinned nothing pins the widest.
    /// - Throws: `ExecutionError` `.missingInstructionSet` where the machine lacks it, `.library` where another is pinned or
    ///   oneDNN has already begun to compute with another.
    public static func pin(_ instructionSet: InstructionSet) throws {
        guard instructionSet.isSupported, let wanted = instructionSet.oneDNN else {
            throw ExecutionError(
                .missingInstructionSet, expected: instructionSet.rawValue,
                found: supportedInstructionSets.map(\.rawValue).joined(separator: ", "))
        }
        func refusal(found: InstructionSet?) -> ExecutionError {
            ExecutionError(
                .library, operation: "pinning the instruction set", expected: instructionSet.rawValue,
                found: found?.rawValue)
        }
        let pinned = try InstructionSet.pin(instructionSet) {
            guard dnnl_set_max_cpu_isa(wanted) == dnnl_success else { throw refusal(found: nil) }
        }
        guard pinned == instructionSet else { throw refusal(found: pinned) }
    }

    /// Pins the widest, unless another is pinned: what oneDNN would choose by itself goes beyond what jobs can be pinned to.
    package static func pinDefault() throws {
        guard !InstructionSet.isPinned, let widest = supportedInstructionSets.last else { return }
        try pin(widest)
    }

    /// To be called on each thread that computes. OpenMP threads are set per calling thread; a lane computes on its own thread
    /// alone.
    package static func prepareThread() {
        omp_set_num_threads(1)
        FloatEnvironment.setDefault()
    }
}

extension InstructionSet {
    /// oneDNN's name; nil for what it cannot be pinned to.
    fileprivate var oneDNN: dnnl_cpu_isa_t? {
        switch self {
        case .scalar: nil
        case .avx2: dnnl_cpu_isa_avx2
        case .avx512: dnnl_cpu_isa_avx512_core
        }
    }

    fileprivate var isSupported: Bool {
        // The compiler's CPU check reads the processor, not oneDNN's setting, which `pin` narrows.
        switch self {
        case .scalar: false
        case .avx2: cpu_supports_avx2() != 0
        case .avx512: cpu_supports_avx512() != 0
        }
    }
}
