import Foundation
import JobFile
import Support

extension Failure {
    /// Errors of the operating system as Foundation throws them; any other error is a fault of this program.
    static func describe(systemError error: any Error) -> (Sentence, ExitReason) {
        let bridged = error as NSError
        guard let number = SystemError.number(in: error) else {
            let isFoundations = bridged.domain == NSCocoaErrorDomain
            return (
                Sentence("internal fault", found: isFoundations ? bridged.localizedDescription : "\(error)"),
                .internalFault
            )
        }
        let file = bridged.userInfo[NSFilePathErrorKey] as? String ?? (bridged.userInfo[NSURLErrorKey] as? URL)?.path
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
