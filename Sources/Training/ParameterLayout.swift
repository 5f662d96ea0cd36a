import Tensors

/// Where each trained tensor lies in the flat vector that gradients, sums and optimizers work on. The order is the one
/// that the layout was made with; whoever makes it must take it from the model, never from a hashed collection.
public struct ParameterLayout: Equatable, Sendable {
    /// A parameter and its place in the vector.
    public struct Entry: Equatable, Sendable {
        /// Of the tensor; unique in the layout.
        public let name: String
        /// Of the tensor.
        public let shape: Shape
        /// Its elements in the flat vector, row-major.
        public let range: Range<Int>
    }

    /// In the order of the flat vector, without gaps.
    public let entries: [Entry]
    /// Elements of the flat vector.
    public let count: Int
    private let indices: [String: Int]

    /// - Throws: `TrainingError(.duplicateName)`.
    public init(_ parameters: [(name: String, shape: Shape)]) throws(TrainingError) {
        var entries: [Entry] = []
        var indices: [String: Int] = [:]
        var start = 0
        for (name, shape) in parameters {
            guard indices.updateValue(entries.count, forKey: name) == nil else {
                throw TrainingError(.duplicateName, key: name)
            }
            entries.append(Entry(name: name, shape: shape, range: start..<start + shape.count))
            start += shape.count
        }
        self.entries = entries
        self.indices = indices
        count = start
    }

    /// The elements of a tensor in the flat vector; nil for a name that is not in the layout.
    public func range(of name: String) -> Range<Int>? {
        indices[name].map { entries[$0].range }
    }

    /// The tensor that an element of the flat vector belongs to, and the element's index in it.
    public func place(of index: Int) -> (name: String, index: Int)? {
        guard (0..<count).contains(index) else { return nil }
        // The last entry that starts at or before the element; empty tensors start where their successors do.
        var low = 0
        var high = entries.count
        while high - low > 1 {
            let middle = (low + high) / 2
            if entries[middle].range.lowerBound <= index { low = middle } else { high = middle }
        }
        return (entries[low].name, index - entries[low].range.lowerBound)
    }

    /// The parts of a flat vector as tensors.
    public func tensors(of vector: [Float]) -> [(name: String, tensor: Tensor)] {
        precondition(vector.count == count, "\(vector.count) elements for a layout of \(count)")
        return entries.map { ($0.name, Tensor(shape: $0.shape, Array(vector[$0.range]))) }
    }

    /// The flat vector of tensors by name. Tensors of other names are passed over.
    /// - Throws: `TrainingError` (`.differentTensors` where one is missing, `.lengthMismatch` where a shape differs,
    ///   `.unsupportedElementType`).
    public func vector(of tensors: [String: Tensor]) throws(TrainingError) -> [Float] {
        var vector: [Float] = []
        vector.reserveCapacity(count)
        for entry in entries {
            guard let tensor = tensors[entry.name] else {
                throw TrainingError(.differentTensors, key: entry.name, expected: "\(entry.shape)", found: "none")
            }
            guard tensor.elementType == .float32 else {
                throw TrainingError(
                    .unsupportedElementType, key: entry.name, expected: "float32", found: tensor.elementType.rawValue)
            }
            guard tensor.shape == entry.shape else {
                throw TrainingError(
                    .lengthMismatch, key: entry.name, expected: "\(entry.shape)", found: "\(tensor.shape)")
            }
            vector.append(contentsOf: tensor.elements(as: Float.self))
        }
        return vector
    }
}
