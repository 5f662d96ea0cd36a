import Foundation

/// Errors of the operating system, as Foundation wraps them.
package enum SystemError {
    /// The `errno` within an error of Foundation, where there is one.
    package static func number(in error: any Error) -> Int32? {
        if let error = error as? POSIXError { return error.code.rawValue }
        let error = error as NSError
        if let underlying = error.userInfo[NSUnderlyingErrorKey] as? any Error, let number = number(in: underlying) {
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
