import ClusterProtocol
import Datasets
import Execution
import Foundation
import Graph
import JobFile
import Nodes
import ONNX
import Operators
import Quantization
import Simulation
import Support
import Tensors
import Training

/// How a run that failed ends: one sentence for the user and an exit code for the launcher. This is the one place that
/// knows every error type of the project; their words stand in the files of sentences beside it.
public struct Failure: Equatable, Sendable {
    /// For the user, in one line.
    public var sentence: String
    /// Tells the launcher whether to try again.
    public var exitReason: ExitReason

    /// - Parameter file: the file being worked on, for errors that do not know theirs.
    public init(_ error: any Error, file: String? = nil) {
        let (sentence, status) = Self.describe(error, file: file)
        self.sentence = sentence.text
        self.exitReason = status
    }

    /// - Parameter sentence: for people, in one line.
    package init(sentence: String, exitReason: ExitReason) {
        self.sentence = sentence
        self.exitReason = exitReason
    }

    /// The file that the sentence of an error names, if any.
    fileprivate static func file(namedBy error: any Error) -> String? {
        describe(error, file: nil).0.file
    }

    private static func describe(_ error: any Error, file: String?) -> (Sentence, ExitReason) {
        var (sentence, status) =
            switch error {
            case let error as ErrorInFile: describe(error.underlying, file: error.file)
            case let error as JobError: (error.sentence, error.exitReason)
            case let error as GraphError: (error.sentence, ExitReason.permanent)
            case let error as ONNXError: (error.sentence, ExitReason.permanent)
            case let error as TensorFileError: (error.sentence, ExitReason.permanent)
            case let error as DatasetError: (error.sentence, ExitReason.permanent)
            case let error as QuantizationError: (error.sentence, ExitReason.permanent)
            case let error as SimulationError: (error.sentence, ExitReason.permanent)
            case let error as ExecutionError: (error.sentence, error.exitReason)
            case let error as TrainingError: (error.sentence, error.exitReason)
            case let error as ClusterError: (error.sentence, error.exitReason)
            case let error as ByteCodingError: (error.sentence, ExitReason.permanent)
            case let error as FileError: (error.sentence, ExitReason(systemError: error.systemError))
            default: describe(systemError: error)
            }
        sentence.file = sentence.file ?? file
        return (sentence, status)
    }
}

extension ShardFailure {
    /// Errors of a worker's computing travel to the coordinator as the sentence that the user is to read.
    package init(describing error: any Error) {
        let failure = Failure(error)
        let file = Failure.file(namedBy: error).map { ["file": $0] } ?? [:]
        self.init(
            permanent: failure.exitReason != .temporary, code: "computation",
            fields: ["sentence": failure.sentence].merging(file) { $1 })
    }
}

extension Failure {
    /// Errors of the operating system as Foundation throws them; any other error is a fault of this program.
    static func describe(systemError error: any Error) -> (Sentence, ExitReason) {
        let file = SystemError.path(in: error)
        guard let number = SystemError.number(in: error) else {
            return (Sentence("internal fault", file: file, found: SystemError.words(for: error)), .internalFault)
        }
        return (Sentence(String(cString: strerror(number)), file: file), ExitReason(systemError: number))
    }
}

extension ExitReason {
    /// Whether trying again later may help, judged from an `errno`.
    init(systemError number: Int32) {
        let temporary: Set<Int32> = [
            EAGAIN, EINTR, EBUSY, ENOMEM, EMFILE, ENFILE, ENOSPC, EDQUOT, EIO, ESTALE, ETIMEDOUT, EADDRINUSE,
            ECONNREFUSED, ECONNRESET, EHOSTUNREACH, ENETUNREACH,
        ]
        self = temporary.contains(number) ? .temporary : .permanent
    }
}
