import Foundation

/// A name, or a shell pattern for names: `*`, `?` and `[...]`, all of which match slashes too, as names of tensors and nodes
/// are full of them. A pattern that is itself one of the names stands for that alone.
struct NamePattern {
    let text: String

    /// In the order of `names`.
    func matches(in names: [String]) -> [String] {
        names.contains(text) ? [text] : names.filter { fnmatch(text, $0, 0) == 0 }
    }
}
