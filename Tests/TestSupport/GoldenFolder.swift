import Foundation

/// The golden files of a module: `Tests/Golden/<module>`, found beside the source that asks.
/// - Parameter source: a file in `Tests/<Module>Tests`.
public func goldenFolder(_ module: String, beside source: String = #filePath) -> URL {
    URL(fileURLWithPath: source).deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("Golden/\(module)")
}
