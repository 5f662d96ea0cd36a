import Foundation
import ONNX
import Tensors

/// A sentence encoder as transformers export it, but small: tokens of an embedding, attention with one head that leaves out what the
/// mask leaves out, the mean over the tokens that it leaves in, scores of classes. Inputs `input_ids` and `attention_mask`, int64
/// [batch, length].
public enum SentenceEncoder {
    public static let vocabulary = 50
    public static let classes = 4
    private static let width = 16

    /// - Parameters:
    ///   - batch: declared extent of the first axis.
    ///   - length: declared extent of the second axis.
    ///   - maskType: of the second input.
    public static func model(
        batch: String = "batch", length: String = "length", maskType: ElementType = .int64
    ) -> ModelBuilder {
        var model = ModelBuilder()
        model.input("input_ids", [batch, length], type: .int64)
        model.input("attention_mask", [batch, length], type: maskType)
        model.constant("table", random([vocabulary, width], 1))
        for (name, key) in [("query", 2), ("key", 3), ("value", 4)] {
            model.constant("weight_\(name)", random([width, width], UInt64(key)))
        }
        model.constant("weight_scores", random([width, classes], 5))
        model.constant("one", Tensor(scalar: Float(1)))
        model.constant("far", Tensor(scalar: Float(-20)))
        model.constant("axis1", Tensor(shape: [1], [Int64(1)]))
        model.constant("axis2", Tensor(shape: [1], [Int64(2)]))
        model.node("Gather", ["table", "input_ids"], ["tokens"])
        for name in ["query", "key", "value"] { model.node("MatMul", ["tokens", "weight_\(name)"], [name]) }
        model.node("Transpose", ["key"], ["turned"], ["perm": [0, 2, 1]])
        model.node("MatMul", ["query", "turned"], ["similarity"])
        model.node("Cast", ["attention_mask"], ["mask"], integers: ["to": 1])
        model.node("Unsqueeze", ["mask", "axis1"], ["mask_rows"])
        model.node("Sub", ["one", "mask_rows"], ["left_out"])
        model.node("Mul", ["left_out", "far"], ["penalty"])
        model.node("Add", ["similarity", "penalty"], ["masked"])
        model.node("Softmax", ["masked"], ["attention"], integers: ["axis": -1])
        model.node("MatMul", ["attention", "value"], ["attended"])
        model.node("Add", ["tokens", "attended"], ["hidden"])
        model.node("Unsqueeze", ["mask", "axis2"], ["mask_columns"])
        model.node("Mul", ["hidden", "mask_columns"], ["kept"])
        model.node("ReduceSum", ["kept", "axis1"], ["sum"], integers: ["keepdims": 0])
        model.node("ReduceSum", ["mask_columns", "axis1"], ["count"], integers: ["keepdims": 0])
        model.node("Div", ["sum", "count"], ["sentence"])
        model.node("MatMul", ["sentence", "weight_scores"], ["scores"])
        model.output("scores", [batch, "\(classes)"])
        return model
    }

    /// Token ids and mask of a sample; the last fifth of the tokens is padding.
    public static func sample(_ index: Int, length: Int) -> [String: Tensor] {
        var random = CounterRandom(key: 77, UInt64(index))
        let ids = (0..<length).map { _ in Int64(random.next() % UInt64(vocabulary)) }
        let mask = (0..<length).map { Int64($0 * 5 < length * 4 ? 1 : 0) }
        return ["input_ids": Tensor(shape: [length], ids), "attention_mask": Tensor(shape: [length], mask)]
    }

    private static func random(_ shape: Shape, _ key: UInt64) -> Tensor {
        var random = CounterRandom(key: key, 12)
        return Tensor(shape: shape, (0..<shape.count).map { _ in random.uniform() - 0.5 })
    }
}
