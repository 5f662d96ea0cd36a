import Foundation
import Quantization
import Support
import Testing

/// Pinning holds for the life of a process, so each test pins in a process of its own.
@Suite struct PinningTests {
    @Test(.enabled(if: InstructionSet.best > .scalar, "this machine has one instruction set"))
    func kernelsKeepToWhatIsPinned() async {
        await #expect(processExitsWith: .success) {
            let encoding = Encoding(bitwidth: 8, delta: 0.5, offset: -128, steps: 255, symmetric: false)
            guard Observer().instructionSet == .best else { exit(1) }
            guard InstructionSet.pin(.scalar) == .scalar else { exit(2) }
            guard Observer().instructionSet == .scalar else { exit(3) }
            exit(try FakeQuantizer(TensorEncodings(encoding)).instructionSet == .scalar ? 0 : 4)
        }
    }

    @Test(.enabled(if: InstructionSet.best > .scalar, "this machine has one instruction set"))
    func theFirstToPinDecides() async {
        await #expect(processExitsWith: .success) {
            struct Failure: Error {}
            guard (try? InstructionSet.pin(.scalar, apply: { throw Failure() })) == nil, !InstructionSet.isPinned
            else { exit(1) }
            guard InstructionSet.pin(.best) == .best, InstructionSet.pin(.scalar) == .best else { exit(2) }
            exit(InstructionSet.pinned == .best ? 0 : 3)
        }
    }

    @Test(.enabled(if: InstructionSet.best < .avx512, "this machine has all instruction sets"))
    func moreThanTheMachineHasIsAMistake() async {
        await #expect(processExitsWith: .failure) { _ = InstructionSet.pin(.avx512) }
    }
}
