import Foundation

/// A reader of bytes that come from outside, as a function of those bytes. It is called with whatever a fuzzer makes up and
/// with the files of the corpus.
///
/// Bytes that are refused with the reader's own error are no finding. A trap is one, and so is what `run` throws. Not
/// `Sendable`: used by one thread at a time.
public protocol FuzzTarget: AnyObject {
    /// - Throws: `FuzzFinding`.
    func run(_ input: Data) throws
}

/// What a reader should not have done.
public struct FuzzFinding: Error, CustomStringConvertible {
    public var description: String

    init(_ description: String) {
        self.description = description
    }
}

/// The targets, named as their folders in the corpus.
public enum FuzzTargetName: String, CaseIterable, Sendable {
    case encodings, jpeg, npz, onnx, png, tar, wire

    /// - Parameter folder: where the target may write files.
    public func make(folder: URL) throws -> any FuzzTarget {
        switch self {
        case .encodings: EncodingsTarget()
        case .jpeg: JPEGTarget()
        case .npz: try NPZTarget(folder: folder)
        case .onnx: ModelTarget()
        case .png: PNGTarget()
        case .tar: try TarTarget(folder: folder)
        case .wire: WireTarget()
        }
    }

    /// The folder of the files that the tests give the target again; kept in the repository.
    public var corpus: URL {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("Corpus/\(rawValue)")
    }
}

/// Runs a reader that may refuse its input with an error of the given type only.
/// - Returns: what it read; nil where it refused.
/// - Throws: `FuzzFinding` for an error of another type: whoever catches the module's errors would not know it.
func refusing<Value, Refusal: Error>(with _: Refusal.Type, _ read: () throws -> Value) throws -> Value? {
    do {
        return try read()
    } catch is Refusal {
        return nil
    } catch {
        throw FuzzFinding("refused with \(type(of: error)), not \(Refusal.self): \(error)")
    }
}
