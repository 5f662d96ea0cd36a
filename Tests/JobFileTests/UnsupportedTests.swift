import App
import Foundation
import JobFile
import Testing

@Suite struct UnsupportedTests {
    /// Lines after the minimal job, the key and line blamed, and what is listed as unsupported.
    static let refused: [(lines: String, key: String, line: Int, features: String)] = [
        (
            "post_training: [fold_batch_norms, bias_correction]", "post_training[1]", 4,
            "post_training: bias_correction"
        ),
        (
            "post_training: [fold_batch_norms, cross_layer_equalization, bias_correction]", "post_training[2]", 4,
            "post_training: bias_correction"
        ),
    ]

    @Test(arguments: refused)
    func whatIsKnownButNotDoneYetIsRefused(lines: String, key: String, line: Int, features: String) throws {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("job-\(UUID().uuidString).yml")
        defer { try? FileManager.default.removeItem(at: file) }
        try Data("\(JobFileTests.minimal)\n\(lines)".utf8).write(to: file)

        let expected = JobError(.unsupported, file: file.path, key: key, line: line, found: features)
        #expect(throws: expected) { try JobFile.read(file.path) }
        #expect(
            Failure(expected).sentence == "\(file.path), line \(line): \(features): not supported by this version")
        #expect(Failure(expected).exitReason == .permanent)
    }
}
