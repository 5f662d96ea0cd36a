import ClusterProtocol
import Foundation

/// Why a connection does not come about, found out beside libzmq, which tries again without telling why. A trial connects
/// and closes at once: it takes up to its patience, and looking up a name may take longer, so it has a thread of its own.
package enum Reachability: Equatable, Sendable {
    /// Somebody takes connections.
    case answers
    /// The machine is there, nobody listens.
    case refused
    /// No machine of this name is known; with the resolver's words.
    case unknownHost(String)
    /// Not even a refusal comes back.
    case noAnswer
    /// Another reason, in the system's words.
    case failed(String)

    /// For people, as the end of "no coordinator yet: ...".
    package var reason: String {
        switch self {
        case .answers: "something listens there, but it does not answer as a coordinator"
        case .refused: "connection refused, nobody listens there"
        case .unknownHost(let words): "unknown host, \(words)"
        case .noAnswer: "no answer from there"
        case .failed(let words): words
        }
    }

    /// Tries to connect to a worker's endpoint, `tcp://host:port` or `ipc://path`. Of several addresses the first that
    /// answers counts, else what the last one said.
    package static func of(endpoint: String, patience: Duration = .seconds(2)) -> Reachability {
        if endpoint.hasPrefix("ipc://") { return of(socketFile: String(endpoint.dropFirst("ipc://".count))) }
        guard endpoint.hasPrefix("tcp://"), let colon = endpoint.lastIndex(of: ":") else {
            return .failed("not an endpoint")
        }
        // A source address may stand before the host.
        var host = String(endpoint[..<colon].dropFirst("tcp://".count).split(separator: ";").last ?? "")
        if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
        let port = String(endpoint[endpoint.index(after: colon)...])
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var found: UnsafeMutablePointer<addrinfo>?
        let status = getaddrinfo(host, port, &hints, &found)
        guard status == 0 else { return .unknownHost(String(cString: gai_strerror(status))) }
        defer { freeaddrinfo(found) }
        var outcome = Reachability.noAnswer
        var next = found
        while let address = next?.pointee {
            outcome = connecting(address.ai_family, address.ai_addr, address.ai_addrlen, patience)
            if outcome == .answers { return outcome }
            next = address.ai_next
        }
        return outcome
    }

    /// Tries to connect to a socket file.
    static func of(socketFile path: String) -> Reachability {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else {
            return .failed(String(cString: strerror(ENAMETOOLONG)))
        }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connecting(AF_UNIX, $0, socklen_t(MemoryLayout<sockaddr_un>.size), .seconds(1))
            }
        }
    }

    private static func connecting(
        _ family: Int32, _ address: UnsafePointer<sockaddr>?, _ length: socklen_t, _ patience: Duration
    ) -> Reachability {
        let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
        let descriptor = socket(family, type, 0)
        guard descriptor >= 0, let address else { return .failed(String(cString: strerror(errno))) }
        defer { close(descriptor) }
        if connect(descriptor, address, length) == 0 { return .answers }
        guard errno == EINPROGRESS else { return Reachability(systemError: errno) }
        var waiting = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        guard poll(&waiting, 1, Int32(patience.milliseconds)) > 0 else { return .noAnswer }
        var number: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &number, &size)
        return number == 0 ? .answers : Reachability(systemError: number)
    }

    private init(systemError number: Int32) {
        self =
            switch number {
            case ECONNREFUSED: .refused
            case ETIMEDOUT: .noAnswer
            case ENOENT: .failed("no such socket")
            // The queue of a socket file is full: somebody listens.
            case EAGAIN: .answers
            default: .failed(String(cString: strerror(number)).lowercased())
            }
    }
}
