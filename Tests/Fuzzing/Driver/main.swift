import CLibFuzzer
import Foundation
import FuzzTargets

// `fuzz TARGET [libFuzzer's arguments]`. A finding ends the process as a trap does, and libFuzzer keeps the input.

@MainActor
enum Driver {
    static var target: (any FuzzTarget)?

    static func run(_ input: Data) {
        do {
            try target?.run(input)
        } catch {
            FileHandle.standardError.write(Data("FINDING: \(error)\n".utf8))
            abort()
        }
    }
}

// libFuzzer starts this program again for -merge and -fork, with its own arguments alone: they inherit the target's name.
let inherited = "QUANTSIM_FUZZ_TARGET"
var arguments = CommandLine.arguments
guard let word = ProcessInfo.processInfo.environment[inherited] ?? arguments.dropFirst().first,
    let name = FuzzTargetName(rawValue: word)
else {
    FileHandle.standardError.write(Data("fuzz takes one of \(FuzzTargetName.allCases.map(\.rawValue))\n".utf8))
    exit(2)
}
if ProcessInfo.processInfo.environment[inherited] == nil { arguments.remove(at: 1) }
setenv(inherited, word, 1)
let folder = FileManager.default.temporaryDirectory.appendingPathComponent("quantsim-fuzz-\(getpid())")
try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
Driver.target = try name.make(folder: folder)

var pointers: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
let status = pointers.withUnsafeMutableBufferPointer { buffer in
    var count = Int32(arguments.count)
    var start = buffer.baseAddress
    return LLVMFuzzerRunDriver(&count, &start) { data, size in
        let input = data.map { Data(bytes: $0, count: size) } ?? Data()
        MainActor.assumeIsolated { Driver.run(input) }
        return 0
    }
}
try? FileManager.default.removeItem(at: folder)
exit(status)
