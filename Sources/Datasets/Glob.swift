import Foundation

/// Shell patterns: `*`, `?` and `[...]`, as glob(3) expands them.
enum Glob {
    /// The paths that `pattern` matches, sorted by bytes. A pattern that is itself the name of something matches that
    /// alone.
    static func expand(_ pattern: String, relativeTo folder: URL) throws -> [String] {
        let isAbsolute = pattern.hasPrefix("/")
        let base = folder.path.hasSuffix("/") ? folder.path : folder.path + "/"
        let literal = isAbsolute ? pattern : base + pattern
        var status = stat()
        if stat(literal, &status) == 0 { return [literal] }

        // The folder's own name is not part of the pattern.
        let full = isAbsolute ? pattern : escaped(base) + pattern
        var result = glob_t()
        defer { globfree(&result) }
        guard glob(full, 0, nil, &result) == 0, let paths = result.gl_pathv, result.gl_pathc > 0 else {
            throw DatasetError(.noMatch, file: pattern)
        }
        // glob(3) sorts by the locale.
        return (0..<Int(result.gl_pathc)).compactMap { paths[$0].map { String(cString: $0) } }.sorted(
            by: precedesByBytes)
    }

    private static func escaped(_ path: String) -> String {
        path.reduce(into: "") { result, character in
            if "*?[]\\".contains(character) { result.append("\\") }
            result.append(character)
        }
    }
}
