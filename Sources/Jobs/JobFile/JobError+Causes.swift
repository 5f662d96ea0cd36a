import Foundation
import Yams

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

    /// A file that could not be read for a reason of the operating system.
    init(unreadable file: String, _ cause: any Error) {
        self.init(.unreadableFile, file: file)
        systemError = Self.systemError(of: cause)
        found = systemError.map { String(cString: strerror($0)) } ?? "\(cause)"
    }

    init(unwritable file: String, _ number: Int32) {
        self.init(.unwritableFile, file: file, found: String(cString: strerror(number)), systemError: number)
    }

    /// The `errno` within an error of Foundation, where there is one.
    static func systemError(of error: any Error) -> Int32? {
        if let error = error as? POSIXError { return error.code.rawValue }
        let error = error as NSError
        if let underlying = error.userInfo[NSUnderlyingErrorKey] as? any Error, let number = systemError(of: underlying)
        {
            return number
        }
        if error.domain == NSPOSIXErrorDomain { return Int32(error.code) }
        return switch CocoaError.Code(rawValue: error.code) {
        case .fileReadNoSuchFile, .fileNoSuchFile: ENOENT
        case .fileReadNoPermission, .fileWriteNoPermission: EACCES
        case .fileWriteOutOfSpace: ENOSPC
        default: nil
        }
    }
}
