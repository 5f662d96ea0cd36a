import Foundation
import TestSupport
import Testing

/// What is no regular file is neither waited for nor replaced, wherever a path of the user's may lead.
@Suite struct SpecialFileTests {
    @Test func aFIFOIsRefusedAsWhateverIsRead() throws {
        let job = try SpoiledJob()
        for name in ["pipe.onnx", "pipe.npz", "pipe.tar", "pipe.yml", "pipe.json", "pipe.encodings"] {
            #expect(mkfifo(job.folder.appendingPathComponent(name).path, 0o600) == 0)
        }
        func path(_ name: String) -> String { job.folder.appendingPathComponent(name).path }
        let infer = ["infer", path("model.onnx"), "--output", path("output.npz"), "--input"]
        for (arguments, name) in [
            (["run", path("pipe.yml"), "--output", job.output.path], "pipe.yml"),
            (["inspect", path("pipe.onnx")], "pipe.onnx"), (["inspect", path("pipe.encodings")], "pipe.encodings"),
            (["inspect", path("model.onnx"), "--config", path("pipe.json")], "pipe.json"),
            (["inspect", path("model.onnx"), "--job", path("pipe.yml")], "pipe.yml"),
            (["infer", path("pipe.onnx"), "--input", path("images.npz"), "--output", path("o.npz")], "pipe.onnx"),
            (infer + [path("pipe.npz")], "pipe.npz"),
            (infer + [path("images.npz"), "--encodings", path("pipe.encodings")], "pipe.encodings"),
        ] {
            try job.expectFailure(arguments, naming: [name, "a FIFO, not a regular file"])
        }
        for data in ["pipe.npz", "pipe.tar"] {
            try job.writeJob(calibration: data)
            try job.expectRefused(naming: data, "a FIFO, not a regular file")
        }
        try job.writeJob(quantization: "config: pipe.json")
        try job.expectRefused(naming: "pipe.json", "a FIFO, not a regular file")
        try job.writeJob(quantization: "encodings: [pipe.encodings]")
        try job.expectRefused(naming: "pipe.encodings", "a FIFO, not a regular file")
    }

    @Test func aFIFOAmongImagesIsABadSample() throws {
        let job = try SpoiledJob(images: 20)
        #expect(mkfifo(job.folder.appendingPathComponent("images/class0/a.jpg").path, 0o600) == 0)
        try job.expectFailure(naming: "class0/a.jpg", "a FIFO, not a regular file")
    }

    @Test func socketsAndFoldersAreRefused() throws {
        let job = try SpoiledJob()
        let path = job.folder.appendingPathComponent("s.onnx").path
        let descriptor = try #require(Self.listen(at: path))
        defer { close(descriptor) }
        try job.expectFailure(["inspect", path], naming: ["s.onnx", "a socket, not a regular file"])
        let folder = job.folder.appendingPathComponent("folder.onnx")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
        try job.expectFailure(["inspect", folder.path], naming: ["folder.onnx", "Is a directory"])
    }

    @Test func whatIsNoRegularFileIsNeverReplaced() throws {
        let job = try SpoiledJob()
        let pipe = job.folder.appendingPathComponent("pipe.npz")
        #expect(mkfifo(pipe.path, 0o600) == 0)
        let link = job.folder.appendingPathComponent("link.npz")
        try FileManager.default.createSymbolicLink(at: link, withDestinationURL: pipe)
        func infer(_ output: String) -> [String] {
            let folder = job.folder
            return [
                "infer", folder.appendingPathComponent("model.onnx").path, "--input",
                folder.appendingPathComponent("images.npz").path, "--output",
                folder.appendingPathComponent(output).path,
            ]
        }
        for output in ["pipe.npz", "link.npz"] {
            try job.expectFailure(infer(output), naming: [output, "a FIFO is not replaced by a file"])
        }
        var status = stat()
        #expect(lstat(pipe.path, &status) == 0 && status.st_mode & S_IFMT == S_IFIFO)
        #expect(lstat(link.path, &status) == 0 && status.st_mode & S_IFMT == S_IFLNK)
        try job.expectFailure(infer("."), naming: ["Is a directory"])
        try job.expectFailure(infer("absent/o.npz"), naming: ["absent/o.npz", "No such file or directory"])
        let model = try Data(contentsOf: job.folder.appendingPathComponent("model.onnx"))
        for read in ["model.onnx", "images.npz"] {
            try job.expectFailure(infer(read), naming: [read, "it is read by this command"])
        }
        #expect(try Data(contentsOf: job.folder.appendingPathComponent("model.onnx")) == model)

        // A link to a file stays one: the file behind it is replaced.
        let other = try job.scratch.write(Data(), to: "elsewhere/real.npz")
        try FileManager.default.removeItem(at: link)
        try FileManager.default.createSymbolicLink(at: link, withDestinationURL: other)
        let process = try QuantSimProcess(infer("link.npz"), in: job.folder)
        #expect(try process.exitCode() == 0, "\(process.standardError)")
        #expect(lstat(link.path, &status) == 0 && status.st_mode & S_IFMT == S_IFLNK)
        #expect(try Data(contentsOf: other).starts(with: Data("PK".utf8)))
    }

    private static func listen(at path: String) -> Int32? {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8).prefix($0.count - 1)) }
        let bound = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        return bound == 0 ? descriptor : nil
    }
}
