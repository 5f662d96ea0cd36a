import CKernels
import Foundation

/// What of a machine may decide which bits a computation gives, in words: for whoever must find out why two machines differ.
public enum MachineDescription {
    /// Processor, cores, caches and system library, as this process sees them.
    public static let current: String = {
        var brand = [CChar](repeating: 0, count: 49)
        qs_cpu_brand(&brand)
        let name = String(decoding: brand.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            .trimmingCharacters(in: .whitespaces)
        let caches = [
            ("L1d", Int32(_SC_LEVEL1_DCACHE_SIZE)), ("L2", Int32(_SC_LEVEL2_CACHE_SIZE)),
            ("L3", Int32(_SC_LEVEL3_CACHE_SIZE)),
        ].compactMap { level, key in
            let size = sysconf(key)
            return size > 0 ? "\(level) \(size >> 10) KiB" : nil
        }
        return
            ([name.isEmpty ? "unnamed processor" : name, "\(ProcessInfo.processInfo.activeProcessorCount) cores"]
            + caches
            + [systemLibrary]).joined(separator: ", ")
    }()

    private static var systemLibrary: String {
        var text = [CChar](repeating: 0, count: 64)
        guard confstr(Int32(_CS_GNU_LIBC_VERSION), &text, text.count) > 0 else { return "another system library" }
        return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
