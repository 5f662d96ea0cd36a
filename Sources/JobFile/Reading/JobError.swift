import Foundation
import Support
import Yams

/// A job that cannot be run as written, or a file of the job that cannot be read or written. Data only: `Failure` makes
/// the sentence.
public struct JobError: Error, Equatable, Sendable {
    /// What is wrong.
    public enum Code: String, Sendable, CaseIterable {
        /// The job file is not YAML; `found` is the parser's complaint.
        case invalidYAML
        case unknownKey, missingKey, duplicateKey, wrongType, outOfRange, unknownChoice, conflictingKeys
        /// The operating system refused; `found` is its message, `systemError` its number.
        case unreadableFile, unwritableFile, processNotStarted
    }

    /// What is wrong.
    public var code: Code
    /// The file concerned, as the user named it.
    public var file: String?
    /// Path of the key in the job file, such as `dataset.calibration.samples` or `export.encodings[0]`.
    public var key: String?
    /// Line in the job file, from 1.
    public var line: Int?
    /// What would have been right.
    public var expected: String?
    /// What is there; of some codes more, as they say.
    public var found: String?
    /// A value near to the one found that would have been right.
    public var suggestion: String?
    /// `errno`, where the operating system refused.
    public var systemError: Int32?

    public init(
        _ code: Code, file: String? = nil, key: String? = nil, line: Int? = nil, expected: String? = nil,
        found: String? = nil, suggestion: String? = nil, systemError: Int32? = nil
    ) {
        self.code = code
        self.file = file
        self.key = key
        self.line = line
        self.expected = expected
        self.found = found
        self.suggestion = suggestion
        self.systemError = systemError
    }
}

extension JobError {
    init(_ error: YamlError, file: String) {
        self.init(.invalidYAML, file: file)
        switch error {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            line = mark.line
            found = problem
        case .reader(let problem, _, _, _):
            found = problem
        case .duplicatedKeysInMapping(let duplicates, let context):
            code = .duplicateKey
            key = duplicates.first
            line = context.mark.line
        case .no, .memory, .writer, .emitter, .representer, .dataCouldNotBeDecoded:
            found = "\(error)"
        }
    }

    /// A file that could not be read, named as the user did.
    init(_ cause: UnreadableFile, file: String) {
        self.init(.unreadableFile, file: file, found: cause.reason, systemError: cause.systemError)
    }

    /// A file that could not be written for a reason of the operating system.
    /// - Parameter number: its `errno`.
    package init(unwritable file: String, _ number: Int32) {
        self.init(.unwritableFile, file: file, found: String(cString: strerror(number)), systemError: number)
    }
}

/// The bytes of a file that a job or a command names.
/// - Throws: `JobError(.unreadableFile)` naming the file.
package func readFile(_ url: URL) throws -> Data {
    do throws(UnreadableFile) {
        return try RegularFile.read(url)
    } catch {
        throw JobError(error, file: url.path)
    }
}
