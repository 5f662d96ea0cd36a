import Foundation
import Testing

/// The shape of the house: what `docs/architecture.md` promises of modules and folders.
@Suite struct ArchitectureTests {
    private static let tree = Result { try SourceTree() }
    static let modules = ((try? tree.get())?.modules.keys.sorted()) ?? []

    @Test func theSourcesAreFound() throws {
        let tree = try Self.tree.get()
        #expect(tree.files.count > 200)
        #expect(Set(["App", "Cluster", "Execution", "Passes", "Tensors"]).isSubset(of: tree.modules.keys))
    }

    /// A cycle of folders is one folder.
    @Test(arguments: modules) func foldersUseEachOtherInOneDirection(_ module: String) throws {
        let uses = try SourceTree.uses(in: Self.tree.get().modules[module] ?? [])
        for cycle in SourceTree.cycles(uses) {
            let edges = cycle.flatMap { user in
                cycle.compactMap { used in
                    uses[user]?[used].map { "\(user) uses \($0.sorted().prefix(5).joined(separator: ", ")) of \(used)" }
                }
            }
            Issue.record("\(module): \(edges.joined(separator: "; "))")
        }
    }

    @Test(arguments: modules) func modulesStaySmall(_ module: String) throws {
        let files = try Self.tree.get().modules[module] ?? []
        let lines = files.filter { !$0.isGenerated }.reduce(0) { $0 + $1.lineCount }
        #expect(lines <= 5000, "\(module) has \(lines) lines")
    }

    /// Versions 2 and 3 of oneDNN differ: one module knows which it is.
    @Test func oneDNNIsCalledInOnePlace() throws {
        for file in try Self.tree.get().files where file.module != "Primitives" {
            #expect(
                !file.code.contains("dnnl_") && !file.code.contains("DNNL_"),
                "\(file.module)/\(file.folder)/\(file.name)")
        }
    }

    /// What keeps the layers apart, beside what the compiler does.
    @Test(arguments: [
        ("Cluster", ["Tensors", "Quantization", "Execution", "Graph"]), ("Passes", ["Yams", "JobFile", "Reports"]),
        ("Quantization", ["Graph", "Cluster"]),
        ("ClusterProtocol", ["Cluster", "CZeroMQ", "Dispatch", "GRDB", "Passes"]),
        ("Execution", ["COneDNN", "Quantization"]), ("Primitives", ["Graph", "Operators"]),
    ]) func modulesThatDoNotKnow(_ module: String, _ others: [String]) throws {
        for file in try Self.tree.get().modules[module] ?? [] {
            for other in others {
                #expect(
                    !file.code.contains("import \(other)\n"), "\(module)/\(file.folder)/\(file.name) imports \(other)")
            }
        }
    }

    /// Protocol logic is plain values: sockets, threads and clocks stand in `Cluster`.
    @Test func theProtocolTouchesNoEdge() throws {
        for file in try Self.tree.get().modules["ClusterProtocol"] ?? [] {
            for edge in ["ZeroMQSocket", "Thread(", "Date()", "ContinuousClock", "FileManager", "usleep("] {
                #expect(!file.code.contains(edge), "\(file.folder)/\(file.name) uses \(edge)")
            }
        }
    }

    /// The check itself finds what it looks for.
    @Test func aCycleIsFound() throws {
        func file(_ folder: String, _ text: String) -> SourceTree.File {
            SourceTree.File(module: "M", folder: folder, name: "\(folder).swift", text: text, code: text)
        }
        let files = [
            file("A", "struct First { let other: Second }\n"), file("B", "struct Second {}\n"),
            file("C", "extension Second {\n    var first: Int { 1 }\n}\n"),
        ]
        #expect(try SourceTree.cycles(SourceTree.uses(in: files)).isEmpty)
        let closed = files + [file("B", "struct Third { let first: First }\n")]
        #expect(try SourceTree.cycles(SourceTree.uses(in: closed)) == [["A", "B"]])
        let around = files + [file("B", "func use(_ second: Second) -> Int { second.first }\n")]
        #expect(try SourceTree.cycles(SourceTree.uses(in: around)) == [["B", "C"]])
    }
}
