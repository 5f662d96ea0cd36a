import ClusterProtocol
import Foundation
import Messaging
import Support

extension ClusterError {
    /// An endpoint that libzmq refuses: for good where it is mistaken, or for now.
    init(_ error: ZeroMQError, endpoint: String) {
        let mistakes: Set<Int32> = [
            EINVAL, EPROTONOSUPPORT, ENODEV, EADDRNOTAVAIL, ENAMETOOLONG, ENOENT, ENOTDIR, EACCES, EPERM, EROFS,
        ]
        let reason =
            switch error.errorNumber {
            case EINVAL: "not an endpoint such as tcp://host:5555 or ipc:///path"
            case ENODEV: "to bind takes *, an address or a network interface of this machine"
            case EADDRNOTAVAIL: "no address of this machine"
            default: error.reason
            }
        self.init(
            mistakes.contains(error.errorNumber) ? .mistakenEndpoint : .endpoint, expected: endpoint, found: reason)
    }
}

/// Refuses an `ipc://` endpoint whose path is taken: libzmq removes whatever is there before it binds.
/// - Throws: `ClusterError` `.mistakenEndpoint` where it is no socket, `.endpoint` where somebody listens to it.
func checkSocketFile(_ endpoint: String) throws(ClusterError) {
    let scheme = "ipc://"
    guard endpoint.hasPrefix(scheme) else { return }
    let path = String(endpoint.dropFirst(scheme.count))
    guard let kind = FileKind(at: path) else { return }
    guard kind == .socket else {
        throw ClusterError(
            .mistakenEndpoint, expected: endpoint, found: "\(kind.rawValue) is there, which a socket does not replace")
    }
    if Reachability.of(socketFile: path) == .answers {
        throw ClusterError(.endpoint, expected: endpoint, found: "another process listens there")
    }
}
