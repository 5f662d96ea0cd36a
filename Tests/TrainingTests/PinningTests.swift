import Foundation
import Quantization
import Support
import Testing
import Training

@Suite struct PinningTests {
    /// Pinning holds for the life of a process, so the test pins in a process of its own.
    @Test(.enabled(if: InstructionSet.best > .scalar, "this machine has one instruction set"))
    func straightThroughKeepsToWhatIsPinned() async {
        await #expect(processExitsWith: .success) {
            let encodings = TensorEncodings(
                Encoding(bitwidth: 8, delta: 0.5, offset: -128, steps: 255, symmetric: false))
            guard try StraightThrough(encodings).instructionSet == .best else { exit(1) }
            guard InstructionSet.pin(.scalar) == .scalar else { exit(2) }
            exit(try StraightThrough(encodings).instructionSet == .scalar ? 0 : 3)
        }
    }
}
