import Foundation
import Testing
import TestSupport

/// Workers on machines of another kind compute the same bits over a calibration and 20 steps of a training, or are refused.
/// `QUANTSIM_PROCESSORS=Haswell,EPYC` emulates these processors.
@Suite(.serialized) struct OtherMachinesTests {
    private static let compiler = program("clang")
    private static let emulator = program("qemu-x86_64")

    private static func program(_ name: String) -> String? {
        (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").map { "\($0)/\(name)" }
            .first(where: FileManager.default.isExecutableFile)
    }

    /// A worker's library that is loaded before all others.
    private static func preload(_ source: String, in folder: URL) throws -> [String] {
        let (file, library) = (folder.appendingPathComponent("other.c"), folder.appendingPathComponent("other.so"))
        try source.write(to: file, atomically: true, encoding: .utf8)
        let process = Process()
        process.executableURL = URL(fileURLWithPath: try #require(compiler))
        process.arguments = ["-shared", "-fPIC", "-O1", "-fno-builtin", "-w", "-o", library.path, file.path]
        try process.run()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0)
        return ["/usr/bin/env", "LD_PRELOAD=\(library.path)"]
    }

    private func job(in folder: URL) throws -> TrainingJob {
        try TrainingJob(in: folder, steps: 20, instructionSet: "avx2")
    }

    /// - Parameter launchers: of each worker; none for one of this machine.
    private func report(_ job: TrainingJob, _ launchers: [[String]]) throws -> RunReport {
        let run = try ClusterRun(job.file, in: job.folder, workers: 0, lanes: 1)
        for launcher in launchers {
            // Whatever takes longer to start comes first, so that there is work left for it.
            try run.addWorker(lanes: 1, under: launcher).waitFor("joined", withinSeconds: 120)
        }
        #expect(try run.coordinator.exitCode(withinSeconds: 400) == 0, "\(run.coordinator.standardError)")
        return try TestJob.report(run.output)
    }

    private func expectSameBits(_ job: TrainingJob, under launcher: [String]) throws {
        let expected = try report(job, [[]])
        for launchers in [[launcher], [launcher, []]] {
            let found = try report(job, launchers)
            #expect(found.digest == expected.digest && found.training == expected.training)
            #expect(found.workers.seen == launchers.count)
        }
    }

    /// Of the system's elementary functions none is used where it matters.
    @Test(.enabled(if: compiler != nil, "no C compiler")) func anotherMathematicalLibrary() throws {
        let scratch = try ScratchFolder()
        let functions = [
            "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sin", "cos", "tan", "sinh", "cosh", "tanh", "erf",
            "erfc", "atan", "cbrt",
        ].map { "double \($0)(double x) { return 1.25 * x + 0.5; } float \($0)f(float x) { return 1.25f * x + 0.5f; }" }
        let power = "double pow(double x, double y) { return x; } float powf(float x, float y) { return x; }"
        let source = (functions + [power]).joined(separator: "\n")
        try expectSameBits(job(in: scratch.url), under: Self.preload(source, in: scratch.url))
    }

    /// What a library that was built for speed does where it is loaded.
    @Test(.enabled(if: compiler != nil, "no C compiler"))
    func aLibraryThatChangesRounding() throws {
        let scratch = try ScratchFolder()
        let source = """
            #include <xmmintrin.h>
            __attribute__((constructor)) static void change(void) { _mm_setcsr(_mm_getcsr() | 0x4000 | 0x8040); }
            """
        try expectSameBits(job(in: scratch.url), under: Self.preload(source, in: scratch.url))
    }

    /// A worker that computes other bits gets no sample; it ends, and the job is what it is without it.
    @Test(.enabled(if: compiler != nil, "no C compiler")) func aMachineOfOtherBits() throws {
        let scratch = try ScratchFolder()
        let launcher = try Self.preload(
            """
            #define _GNU_SOURCE
            #include <dlfcn.h>
            #include <xmmintrin.h>
            int dnnl_primitive_execute(void *primitive, void *stream, int count, void *arguments) {
                int (*original)(void *, void *, int, void *) = dlsym(RTLD_NEXT, "dnnl_primitive_execute");
                unsigned before = _mm_getcsr();
                _mm_setcsr(before | 0x4000);
                int status = original(primitive, stream, count, arguments);
                _mm_setcsr(before);
                return status;
            }
            """, in: scratch.url)
        let job = try TrainingJob(in: scratch.url, steps: 600, instructionSet: "avx2")
        let expected = try report(job, [[]])
        let run = try ClusterRun(job.file, in: scratch.url, workers: 1, lanes: 1)
        try run.workers[0].waitFor("joined")
        try run.coordinator.waitFor("train ")
        let other = try run.addWorker(lanes: 1, under: launcher)
        #expect(try other.exitCode() == 42, "\(other.standardError)")
        let said = other.standardError
        let refusal = "refuses this worker, which computes other bits than the job's first: expected "
        #expect(said.contains(refusal), "\(said)")
        #expect(try run.coordinator.exitCode(withinSeconds: 300) == 0, "\(run.coordinator.standardError)")
        #expect(run.coordinator.standardError.contains("worker refused"), "\(run.coordinator.standardError)")
        let found = try TestJob.report(run.output)
        #expect(found.digest == expected.digest && found.training == expected.training)
    }

    /// As `qemu-x86_64 -cpu help` names them; an emulated one takes minutes.
    private static let processors =
        ProcessInfo.processInfo.environment["QUANTSIM_PROCESSORS"]?.split(separator: ",").map(String.init) ?? ["EPYC"]

    @Test(.enabled(if: emulator != nil, "no qemu-x86_64"), arguments: processors)
    func anotherProcessor(_ model: String) throws {
        let scratch = try ScratchFolder()
        try expectSameBits(job(in: scratch.url), under: [try #require(Self.emulator), "-cpu", model])
    }
}
