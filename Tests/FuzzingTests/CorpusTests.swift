import Foundation
import FuzzTargets
import TestSupport
import Testing

/// The files that fuzzers found worth keeping, among them each that once was a finding, are read again.
@Suite struct CorpusTests {
    @Test(arguments: FuzzTargetName.allCases) func corpusHasNoFindings(_ name: FuzzTargetName) throws {
        let folder = name.corpus
        let files = try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
        #expect(files.count >= 10)
        let scratch = try ScratchFolder()
        let target = try name.make(folder: scratch.url)
        for file in files.sorted(by: { $0.path < $1.path }) {
            #expect(throws: Never.self, "\(name)/\(file.lastPathComponent)") { try target.run(Data(contentsOf: file)) }
        }
    }
}
