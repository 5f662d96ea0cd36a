import Foundation

/// The sources of the package, as far as the shape of the house needs them: modules, their folders, and which folder uses what
/// another declares. Names are looked at, not types, so a use that only overloading could tell apart is passed over.
struct SourceTree {
    struct File {
        let module: String
        /// Folder within the module; empty at its root.
        let folder: String
        let name: String
        /// As it stands.
        let text: String
        /// Without comments and the contents of strings.
        let code: String

        var isGenerated: Bool { name.hasSuffix(".pb.swift") }
        var lineCount: Int { text.split(separator: "\n", omittingEmptySubsequences: false).count - 1 }
    }

    let files: [File]

    static let repository = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("../..").standardizedFileURL

    init() throws {
        let sources = Self.repository.appendingPathComponent("Sources")
        let prefix = sources.path + "/"
        let found = FileManager.default.enumerator(atPath: sources.path)?.compactMap { $0 as? String } ?? []
        files = try found.filter { $0.hasSuffix(".swift") }.sorted().map { path in
            let parts = path.split(separator: "/").map(String.init)
            let text = try String(contentsOfFile: prefix + path, encoding: .utf8)
            return File(
                module: parts[0], folder: parts[1..<(parts.count - 1)].joined(separator: "/"),
                name: parts[parts.count - 1], text: text, code: code(of: text))
        }
    }

    var modules: [String: [File]] { Dictionary(grouping: files, by: \.module) }

    /// Which folder of a module uses what of another of its folders: user, used, names.
    static func uses(in files: [File]) throws -> [String: [String: Set<String>]] {
        let files = files.filter { !$0.isGenerated }
        var types = Places()
        var members = Places()
        var ownMembers: [String: Set<String>] = [:]
        for file in files {
            for name in names(topLevelDeclaration, in: file.code) { types.insert(name, file.folder) }
            ownMembers[file.folder, default: []].formUnion(names(memberDeclaration, in: file.code))
        }
        for file in files {
            for match in matches(extensionStart, in: file.code) {
                let base = match.captures[0].prefix { $0.isLetter || $0.isNumber || $0 == "_" }
                // What an extension adds beside its type goes with the type.
                if types.folders(of: String(base)).contains(file.folder) { continue }
                let body = file.code[match.end...].prefix(
                    upTo: file.code[match.end...].range(of: "\n}")?.lowerBound ?? file.code.endIndex)
                for name in names(memberDeclaration, in: String(body)) { members.insert(name, file.folder) }
            }
        }

        var uses: [String: [String: Set<String>]] = [:]
        for file in files {
            let local = Set(names(localDeclaration, in: file.code))
            let plain = Set(names(identifier, in: file.code)).subtracting(local)
            for name in plain {
                guard let home = types.soleFolder(of: name), home != file.folder else { continue }
                uses[file.folder, default: [:]][home, default: []].insert(name)
            }
            for name in Set(names(member, in: file.code)) where types.folders(of: name).isEmpty {
                guard let home = members.soleFolder(of: name), home != file.folder,
                    ownMembers[file.folder]?.contains(name) != true
                else { continue }
                uses[file.folder, default: [:]][home, default: []].insert("." + name)
            }
        }
        return uses
    }

    /// Folders that use each other, directly or around: one group a cycle.
    static func cycles(_ uses: [String: [String: Set<String>]]) -> [[String]] {
        let folders = Set(uses.keys).union(uses.values.flatMap(\.keys)).sorted()
        func reachable(from start: String) -> Set<String> {
            var seen: Set<String> = []
            var open = [start]
            while let folder = open.popLast() {
                for next in (uses[folder] ?? [:]).keys where seen.insert(next).inserted { open.append(next) }
            }
            return seen
        }
        let reach = Dictionary(uniqueKeysWithValues: folders.map { ($0, reachable(from: $0)) })
        let groups = folders.map { folder in
            folders.filter {
                $0 == folder || (reach[folder]?.contains($0) == true && reach[$0]?.contains(folder) == true)
            }
        }
        return Set(groups.filter { $0.count > 1 }).sorted { $0[0] < $1[0] }
    }
}

/// Where names are declared.
private struct Places {
    private var folders: [String: Set<String>] = [:]

    mutating func insert(_ name: String, _ folder: String) { folders[name, default: []].insert(folder) }
    func folders(of name: String) -> Set<String> { folders[name] ?? [] }

    /// Nil where several folders declare the name, or none.
    func soleFolder(of name: String) -> String? { folders[name].flatMap { $0.count == 1 ? $0.first : nil } }
}

private let modifiers =
    #"(?:(?:public|package|internal|final|indirect|mutating|static|nonisolated|@\w+(?:\([^)]*\))?)\s+)*"#
private let topLevelDeclaration = pattern(
    "^" + modifiers + #"(?:struct|class|enum|protocol|actor|typealias|func|let|var)\s+(\w+)"#)
private let memberDeclaration = pattern("^    " + modifiers + #"(?:func|var|let|struct|enum|class|case)\s+`?(\w+)"#)
/// Names that mean something else within one file.
private let localDeclaration = pattern(
    #"^(?:\s+(?:(?:public|package|private|fileprivate|static|mutating|final)\s+)*|(?:private|fileprivate)\s+(?:final\s+)?)(?:func|let|var|struct|enum|class|typealias)\s+(\w+)"#
)
private let extensionStart = pattern(#"^(?:(?:public|package|internal)\s+)?extension\s+\[?([^{\n]+)\{"#)
private let identifier = pattern(#"(?<![\w.])([A-Za-z_]\w*)|\.([A-Z]\w*)"#)
private let member = pattern(#"\.(\w+)"#)

private func pattern(_ text: String) -> NSRegularExpression {
    do {
        return try NSRegularExpression(pattern: text, options: .anchorsMatchLines)
    } catch {
        preconditionFailure("\(text): \(error)")
    }
}

private func matches(_ pattern: NSRegularExpression, in code: String) -> [(captures: [String], end: String.Index)] {
    pattern.matches(in: code, range: NSRange(code.startIndex..., in: code)).map { match in
        let captures = (1..<match.numberOfRanges).compactMap { Range(match.range(at: $0), in: code) }
            .map { String(code[$0]) }
        return (captures, Range(match.range, in: code)?.upperBound ?? code.endIndex)
    }
}

private func names(_ pattern: NSRegularExpression, in code: String) -> [String] {
    matches(pattern, in: code).compactMap(\.captures.first)
}

/// Swift source without comments and without what stands in strings.
private func code(of text: String) -> String {
    var code = text
    for part in [#""""[\s\S]*?""""#, #""(?:\\.|[^"\\\n])*""#, #"//[^\n]*"#] {
        code = pattern(part).stringByReplacingMatches(
            in: code, range: NSRange(code.startIndex..., in: code), withTemplate: part.hasPrefix("\"") ? "\"\"" : "")
    }
    return code
}
