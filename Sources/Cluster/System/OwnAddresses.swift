import Foundation

/// What workers connect to, of an endpoint that was bound: a bound `*` is an address of no machine.
package enum OwnAddresses {
    /// Endpoints that reach a bound one, the likeliest first. Where it was bound to all interfaces these are the addresses
    /// of this machine, without a look-up of names, which may take long and means little elsewhere.
    /// - Parameter bound: with a port, as the system tells it.
    package static func endpoints(reaching bound: String) -> [String] {
        guard bound.hasPrefix("tcp://"), let colon = bound.lastIndex(of: ":") else { return [bound] }
        let host = bound[..<colon].dropFirst("tcp://".count)
        let port = bound[colon...]
        guard ["[::]", "0.0.0.0", "*"].contains(host) else { return [bound] }
        let own = addresses(ofBothFamilies: host != "0.0.0.0")
        return (own.isEmpty ? ["127.0.0.1"] : own).map { "tcp://\($0)\(port)" }
    }

    /// Addresses of the interfaces that are up, but for loopback and addresses that mean something on one link only: IPv4
    /// first, IPv6 in brackets.
    private static func addresses(ofBothFamilies both: Bool) -> [String] {
        var list: UnsafeMutablePointer<ifaddrs>?
        guard getifaddrs(&list) == 0 else { return [] }
        defer { freeifaddrs(list) }
        var (v4, v6): ([String], [String]) = ([], [])
        var next = list
        while let interface = next?.pointee {
            next = interface.ifa_next
            let flags = Int32(bitPattern: interface.ifa_flags)
            guard let address = interface.ifa_addr, flags & Int32(IFF_UP) != 0,
                flags & Int32(IFF_LOOPBACK) == 0
            else { continue }
            let family = Int32(address.pointee.sa_family)
            guard family == AF_INET || (both && family == AF_INET6) else { continue }
            let size = family == AF_INET ? MemoryLayout<sockaddr_in>.size : MemoryLayout<sockaddr_in6>.size
            var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
            guard getnameinfo(address, socklen_t(size), &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST) == 0
            else { continue }
            let name = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            if family == AF_INET {
                v4.append(name)
            } else if !name.contains("%") {
                v6.append("[\(name)]")
            }
        }
        return v4 + v6
    }
}
