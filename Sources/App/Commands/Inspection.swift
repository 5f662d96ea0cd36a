import Cluster
import Execution
import Foundation
import Graph
import JobFile
import ONNX
import Quantization
import Support
import Tensors

/// `quantsim inspect`: a file as text for people.
public enum Inspection {
    /// - Throws: the reading error of the kind of file that the name or the first bytes tell.
    public static func describe(_ url: URL) throws -> String {
        if url.pathExtension == "onnx" {
            return try attributingErrors(to: url.path) { try describe(Graph(importing: ONNXFile.read(url))) }
        }
        let data = try readFile(url)
        if data.starts(with: Data("SQLite format 3".utf8)) { return try describeJournal(url) }
        return describe(try EncodingsFile.read(data, file: url.path))
    }

    /// The operators that are known, as JSON.
    public static func describeOperators() throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        return String(decoding: try encoder.encode(ExecutionSupport.catalogue), as: UTF8.self)
    }

    static func describe(_ graph: Graph) -> String {
        var values = TextTable([.init(""), .init("tensor"), .init("type"), .init("shape")])
        for input in graph.inputs {
            values.append(["input", input.name, "\(input.elementType)", text(input.dimensions)])
        }
        for output in graph.outputs {
            values.append(["output", output.name, "\(output.elementType)", text(output.dimensions)])
        }
        var operators = TextTable([.init("operator"), .init("nodes", .right)])
        let counts = Dictionary(grouping: graph.nodes, by: \.opType).mapValues(\.count)
        for (type, count) in counts.sorted(by: { ($1.value, $0.key) < ($0.value, $1.key) }) {
            operators.append([type, "\(count)"])
        }
        let elements = graph.constants.values.reduce(0) { $0 + $1.count }
        return """
            graph \(graph.name), opset \(graph.opsetVersion), \(graph.nodes.count) nodes, \
            \(graph.constants.count) constants of \(elements) elements

            \(values.text)

            \(operators.text)
            """
    }

    static func describe(_ file: EncodingsFile) -> String {
        func table(_ encodings: [String: TensorEncodings]) -> String {
            var table = TextTable([
                .init("tensor"), .init("bits", .right), .init("symmetric"), .init("encodings", .right),
                .init("block size", .right), .init("min", .right), .init("max", .right), .init("delta", .right),
                .init("offset", .right),
            ])
            for (name, tensor) in encodings.sorted(by: { $0.key < $1.key }) {
                guard let first = tensor.encodings.first else {
                    table.append([name, tensor.dataType.rawValue] + [String](repeating: "", count: 7))
                    continue
                }
                let low = tensor.encodings.map(\.min).min() ?? first.min
                let high = tensor.encodings.map(\.max).max() ?? first.max
                let single = tensor.encodings.count == 1
                table.append([
                    name, "\(first.bitwidth)", first.symmetric ? "yes" : "no",
                    single ? "" : "\(tensor.encodings.count)", tensor.blocks.map { "\($0.size)" } ?? "",
                    String(format: "%.6g", low), String(format: "%.6g", high),
                    single ? String(format: "%.6g", first.delta) : "", single ? "\(first.offset)" : "",
                ])
            }
            return table.text
        }
        // Version 2.0.0 does not tell parameters from activations.
        guard file.tensors.isEmpty else { return "tensors: \(file.tensors.count)\n\(table(file.tensors))" }
        return """
            activations: \(file.activations.count)
            \(table(file.activations))

            parameters: \(file.parameters.count)
            \(table(file.parameters))
            """
    }

    private static func describeJournal(_ url: URL) throws -> String {
        let journal = try JournalSummary(readingFrom: url.path)
        var passes = TextTable([
            .init("pass"), .init("finished"), .init("shards", .right), .init("samples", .right),
            .init("seconds", .right), .init("repeated", .right), .init("state bytes", .right),
        ])
        for pass in journal.passes {
            passes.append([
                pass.name, pass.isFinished ? "yes" : "no", "\(pass.shards)", "\(pass.samples)",
                String(format: "%.2f", pass.seconds), "\(pass.failedAttempts)", "\(pass.stateSize)",
            ])
        }
        return "job \(journal.job), started \(journal.epoch) times\n\n\(passes.text)"
    }

    private static func text(_ dimensions: [ValueInfo.Dimension]?) -> String {
        guard let dimensions else { return "?" }
        let extents = dimensions.map { dimension in
            switch dimension {
            case .fixed(let extent): "\(extent)"
            case .symbolic(let name): name
            case .unknown: "?"
            }
        }
        return "[" + extents.joined(separator: ", ") + "]"
    }
}
