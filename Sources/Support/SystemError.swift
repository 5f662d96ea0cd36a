import Foundation

/// Errors of the operating system, as Foundation wraps them.
package enum SystemError {
    /// The `errno` within an error of Foundation, or the nearest to it; nil for errors that are not the system's.
    package static func number(in error: any Error) -> Int32? {
        if let error = error as? POSIXError { return error.code.rawValue }
        let error = error as NSError
        if let underlying = error.userInfo[NSUnderlyingErrorKey] as? any Error, let number = number(in: underlying) {
            return number
        }
        if error.domain == NSPOSIXErrorDomain { return Int32(error.code) }
        guard error.domain == NSCocoaErrorDomain else { return nil }
        return switch CocoaError.Code(rawValue: error.code) {
        case .fileReadNoSuchFile, .fileNoSuchFile: ENOENT
        case .fileReadNoPermission, .fileWriteNoPermission: EACCES
        case .fileReadInvalidFileName, .fileWriteInvalidFileName: EINVAL
        case .fileWriteOutOfSpace: ENOSPC
        case .fileWriteFileExists: EEXIST
        case .fileWriteVolumeReadOnly: EROFS
        case .fileReadTooLarge: EFBIG
        case .fileReadUnknown, .fileWriteUnknown, .fileReadCorruptFile: EIO
        default: nil
        }
    }

    /// The path that an error of Foundation is about, where it says so.
    package static func path(in error: any Error) -> String? {
        let information = (error as NSError).userInfo
        return information[NSFilePathErrorKey] as? String ?? (information[NSURLErrorKey] as? URL)?.path
    }

    /// What happened, for people: the system's words. What Foundation prints of its errors is for programmers.
    package static func words(for error: any Error) -> String {
        if let number = number(in: error) { return String(cString: strerror(number)) }
        let bridged = error as NSError
        guard bridged.domain == NSCocoaErrorDomain else { return "\(error)" }
        return "error \(bridged.code) of Foundation"
    }
}
