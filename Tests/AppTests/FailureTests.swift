import App
import Foundation
import Graph
import JobFile
import Nodes
import Operators
import Support
import Testing

@Suite struct FailureTests {
    static let graphErrors: [(GraphError, String)] = [
        (
            GraphError(
                .shapeMismatch, node: "conv1", opType: "Conv", tensor: "w", expected: "[64, 3, 7, 7]",
                found: "[64, 4, 7, 7]"),
            "m.onnx, node \"conv1\" (Conv), tensor \"w\": shapes do not fit: expected [64, 3, 7, 7], "
                + "found [64, 4, 7, 7]"
        ),
        (
            GraphError(.unsupportedOperators, found: "NonMaxSuppression, RoiAlign"),
            "m.onnx: unsupported operators: NonMaxSuppression, RoiAlign"
        ),
        (
            GraphError(.unsupportedOpset, expected: "7 to 28", found: "6"),
            "m.onnx: unsupported operator set version: expected 7 to 28, found 6"
        ),
        (
            GraphError(.undefinedValue, node: "add", opType: "Add", tensor: "x"),
            "m.onnx, node \"add\" (Add), tensor \"x\": used before it is defined"
        ),
        (GraphError(.cycle), "m.onnx: the nodes form a cycle"),
        (
            GraphError(.missingOutput, tensor: "logits"),
            "m.onnx, tensor \"logits\": a graph output that no node computes"
        ),
        (
            GraphError(.inputShapeMismatch, tensor: "input", expected: "[n, 3, 32, 32]", found: "[50, 3, 28, 28]"),
            "m.onnx, tensor \"input\": the input has another shape than the model's: expected [n, 3, 32, 32], "
                + "found [50, 3, 28, 28]"
        ),
    ]

    @Test(arguments: graphErrors)
    func aGraphErrorNamesNodeAndTensor(_ error: GraphError, _ sentence: String) {
        #expect(Failure(error, file: "m.onnx") == Failure(sentence: sentence, exitReason: .permanent))
    }

    @Test func bytesAndFilesAreTold() {
        let short = ByteCodingError(
            .truncated, record: "slot result", part: "counts", position: 8, expected: "4 bytes", found: "2")
        #expect(
            Failure(short)
                == Failure(
                    sentence: "slot result, byte 8 (counts): too few bytes: expected 4 bytes, found 2",
                    exitReason: .permanent))
        let full = FileError(.flush, path: "/out/a", systemError: ENOSPC)
        #expect(
            Failure(full)
                == Failure(
                    sentence: "/out/a: cannot be written: No space left on device", exitReason: .temporary))
        let kept = FileError(.remove, path: "/out/a", systemError: EACCES)
        #expect(
            Failure(kept)
                == Failure(sentence: "/out/a: cannot be removed: Permission denied", exitReason: .permanent))
    }

    @Test func errorsAreAttributedToTheFileAtHand() {
        let inner = GraphError(.cycle)
        let error = #expect(throws: ErrorInFile.self) {
            try attributingErrors(to: "m.onnx") { throw inner }
        }
        #expect(error.map { Failure($0).sentence } == "m.onnx: the nodes form a cycle")
        // The innermost file is the one to name.
        #expect(Failure(ErrorInFile(ErrorInFile(inner, file: "a"), file: "b")).sentence == "a: the nodes form a cycle")
        #expect(
            Failure(ErrorInFile(JobError(.missingKey, file: "job.yml", key: "model"), file: "b")).sentence
                == "job.yml: missing key model")
        #expect((try? attributingErrors(to: "m.onnx") { 5 }) == 5)
    }

    @Test(arguments: [
        (ENOENT, ExitReason.permanent), (EACCES, .permanent), (EISDIR, .permanent), (ENOSPC, .temporary),
        (EIO, .temporary), (ENOMEM, .temporary), (ECONNREFUSED, .temporary), (EADDRINUSE, .temporary),
    ])
    func systemErrorsAreTemporaryWhereTryingAgainMayHelp(_ number: Int32, _ status: ExitReason) throws {
        let error = POSIXError(try #require(POSIXError.Code(rawValue: number)))
        let failure = Failure(error, file: "x.npz")
        #expect(failure == Failure(sentence: "x.npz: \(String(cString: strerror(number)))", exitReason: status))
        #expect(Failure(JobError(.unwritableFile, file: "f", systemError: number)).exitReason == status)
    }

    @Test func foundationsErrorsNameTheirFile() {
        let error = #expect(throws: (any Error).self) {
            try Data(contentsOf: URL(fileURLWithPath: "/nowhere/x"))
        }
        #expect(
            error.map { Failure($0) }
                == Failure(sentence: "/nowhere/x: No such file or directory", exitReason: .permanent))
    }

    /// What Foundation prints of its errors is for programmers: whatever its code, users read the cause and the path.
    @Test(arguments: [4, 255, 256, 257, 258, 259, 260, 263, 512, 513, 514, 516, 640, 642, 3840, 4864])
    func foundationsErrorsAreInWords(_ code: Int) {
        let error = NSError(domain: NSCocoaErrorDomain, code: code, userInfo: [NSFilePathErrorKey: "/data/x"])
        let sentence = Failure(error).sentence
        #expect(sentence.hasPrefix("/data/x: "), "\(sentence)")
        #expect(!sentence.contains("NSCocoaErrorDomain") && !sentence.contains("UserInfo"), "\(sentence)")
    }

    /// The number of a case of some other type's is no number of Foundation's.
    @Test func numbersOfOtherErrorsMeanNothing() {
        enum Other: Error { case a, b, c, d, e }
        #expect(Failure(Other.e) == Failure(sentence: "internal fault: e", exitReason: .internalFault))
    }

    @Test func anythingElseIsAFaultOfOurs() {
        struct Odd: Error {}
        #expect(Failure(Odd()) == Failure(sentence: "internal fault: Odd()", exitReason: .internalFault))
        #expect(Failure(Odd(), file: "a").sentence == "a: internal fault: Odd()")
    }

    @Test func aSentenceIsOneLineWhateverNamesSay() {
        let error = GraphError(.cycle, node: "a\nb\u{1B}[31m\u{202E}", opType: "Conv")
        #expect(Failure(error).sentence == "node \"a b [31m \" (Conv): the nodes form a cycle")
    }

    @Test func everyJobErrorHasASentence() {
        for code in JobError.Code.allCases {
            let error = JobError(code, file: "job.yml", key: "a.b", line: 2, expected: "E", found: "F")
            #expect(Failure(error).sentence.hasPrefix("job.yml, line 2"))
            #expect(!Failure(error).sentence.hasSuffix(": "))
        }
    }

    @Test func exitCodesAreTheFixedOnes() {
        #expect(ExitReason.allCases.map(\.rawValue) == [0, 1, 2, 42, 75, 143])
    }
}

@Suite struct NearestWordTests {
    @Test(arguments: [
        ("sample", "samples"), ("smaples", "samples"), ("SAMPLES", "samples"), ("pth", "path"), ("augmnt", "augment"),
        ("x", nil), ("", nil), ("completely", nil), ("pa", nil),
    ])
    func theNearestIsFoundIfNear(_ word: String, _ expected: String?) {
        #expect(nearestWord(to: word, among: ["path", "samples", "augment"]) == expected)
    }

    @Test(arguments: [
        ("", "", 0), ("", "abc", 3), ("abc", "", 3), ("abc", "abc", 0), ("abc", "acb", 1), ("kitten", "sitting", 3),
        ("ca", "abc", 3),
    ])
    func editDistanceCountsEdits(_ a: String, _ b: String, _ distance: Int) {
        #expect(editDistance(Array(a), Array(b)) == distance)
        #expect(editDistance(Array(b), Array(a)) == distance)
    }
}
