import Foundation
import ONNX
import Tensors
import TestSupport
import Testing

/// A model that cannot be used is refused with one sentence that names it, by every command that reads it.
@Suite struct BadModelTests {
    @Test func truncated() throws {
        let job = try SpoiledJob()
        let whole = try Data(contentsOf: job.folder.appendingPathComponent("model.onnx"))
        try job.scratch.write(whole.prefix(whole.count / 2), to: "model.onnx")
        try job.expectRefused(naming: "model.onnx", "truncated", "\(whole.count / 2) bytes")
        try job.expectInferenceRefused(naming: "model.onnx", "truncated")
        try job.expectFailure(
            ["inspect", job.folder.appendingPathComponent("model.onnx").path], naming: ["model.onnx", "truncated"])
    }

    @Test(arguments: ["", "this is no model\n", "\u{0}\u{1}\u{2}\u{3}"]) func notONNX(_ text: String) throws {
        let job = try SpoiledJob()
        try job.scratch.write(Data(text.utf8), to: "model.onnx")
        try job.expectRefused(naming: "model.onnx", "not an ONNX model", "\(text.utf8.count) bytes")
        try job.expectInferenceRefused(naming: "model.onnx", "not an ONNX model")
    }

    @Test func missing() throws {
        let job = try SpoiledJob()
        try FileManager.default.removeItem(at: job.folder.appendingPathComponent("model.onnx"))
        try job.expectRefused(naming: "model.onnx", "cannot be read", "No such file or directory")
        try job.expectInferenceRefused(naming: "model.onnx", "No such file or directory")
    }

    @Test func unsupportedOperatorsAreListedTogether() throws {
        let job = try SpoiledJob()
        try job.write(
            SmallModel.linear(followedBy: [
                ("RandomUniformLike", ["scores"], "a", [:]), ("Multinomial", ["a"], "b", [:]),
                ("Bernoulli", ["b"], "c", [:]), ("RandomUniformLike", ["c"], "output", [:]),
            ]))
        try job.expectRefused(naming: "model.onnx", "unsupported operators: Bernoulli, Multinomial, RandomUniformLike")
        try job.expectInferenceRefused(naming: "unsupported operators: Bernoulli, Multinomial, RandomUniformLike")
    }

    /// NaN anywhere, infinity among weights.
    @Test(arguments: [Float.nan, -.infinity]) func weightsThatAreNotFinite(_ value: Float) throws {
        let job = try SpoiledJob()
        var model = SmallModel.linear()
        var weights = [Float](repeating: 0.5, count: 7840)
        weights[784 * 3 + 5] = value
        model.graph.initializer[0] = ONNXTensorProto(Tensor(shape: [10, 784], weights), name: "weight")
        try job.write(model)
        try job.expectRefused(
            naming: "model.onnx", "tensor \"weight\"", "a constant that no result can be trusted with",
            "\(value) at [3, 5]")
        try job.expectInferenceRefused(naming: "\(value) at [3, 5]")
    }

    @Test func variancesBelowZero() throws {
        let job = try SpoiledJob()
        var model = SmallModel.linear(followedBy: [
            ("BatchNormalization", ["scores", "ones", "ones", "ones", "variance"], "output", [:])
        ])
        let ones = [Float](repeating: 1, count: 10)
        model.graph.initializer.append(ONNXTensorProto(Tensor(shape: [10], ones), name: "ones"))
        model.graph.initializer.append(
            ONNXTensorProto(Tensor(shape: [10], ones.dropLast(2) + [-0.25, 1]), name: "variance"))
        try job.write(model)
        try job.expectRefused(
            naming: "node \"node_output\" (BatchNormalization)", "tensor \"variance\"", "variances of at least 0",
            "-0.25 at [8]")
    }

    /// Finite samples and weights, and an output that is not finite: the root of what is negative.
    @Test func outputThatIsNotFinite() throws {
        let job = try SpoiledJob()
        try job.write(
            SmallModel.linear(followedBy: [
                ("Abs", ["scores"], "a", [:]), ("Neg", ["a"], "b", [:]), ("Sqrt", ["b"], "output", [:]),
            ]))
        try job.expectFailure(naming: "tensor \"output\"", "what the model computes is not finite", "NaN")
    }

    /// A model whose result for a sample depends on its batch is no model of samples.
    @Test func samplesThatAreMixed() throws {
        let job = try SpoiledJob()
        try job.write(SmallModel.linear(followedBy: [("Softmax", ["scores"], "output", ["axis": 0])]))
        try job.expectRefused(
            naming: "model.onnx", "node \"node_output\" (Softmax)", "samples along the first axis",
            "a node that keeps samples apart")
    }

    @Test func inputsOfANodeThatDoNotFit() throws {
        let job = try SpoiledJob()
        try job.write(SmallModel.linear(weightColumns: 700))
        try job.expectRefused(
            naming: "model.onnx", "node \"node_output\" (Gemm)", "tensor \"weight\"", "784", "[10, 700]")
        try job.expectInferenceRefused(naming: "node \"node_output\" (Gemm)", "784", "[10, 700]")
    }

    @Test func weightsOfAnotherElementType() throws {
        let job = try SpoiledJob()
        var model = SmallModel.linear()
        let weight = Tensor(shape: [10, 784], [Double](repeating: 0.5, count: 7840))
        model.graph.initializer[0] = ONNXTensorProto(weight, name: "weight")
        try job.write(model)
        try job.expectRefused(
            naming: "model.onnx", "node \"node_output\" (Gemm)", "tensor \"weight\"", "expected float32, found float64")
        try job.expectInferenceRefused(naming: "tensor \"weight\"", "expected float32, found float64")
    }

    @Test func imagesOfAnotherSize() throws {
        let job = try SpoiledJob()
        try job.write(SmallModel.convolution(classes: 3, height: 32, width: 32))
        try ImageFolder(job.folder.appendingPathComponent("images")).add(3, ofClass: 0)
        try job.writeJob(
            calibration: "images", evaluation: "images",
            dataset: "image: {size: [24, 20], mean: [0, 0, 0], std: [1, 1, 1]}")
        try job.expectRefused(naming: "model.onnx", "tensor \"input\"", "[batch = 1, 3, 32, 32]", "[1, 3, 24, 20]")
    }

    /// A model for batches of four and samples in another number.
    @Test func batchThatTheModelDoesNotTake() throws {
        let job = try SpoiledJob()
        try job.write(SmallModel.linear(batch: 4))
        try job.writeImages("images.npz", shape: [6, 1, 28, 28])
        try job.expectFailure(naming: "model.onnx", "tensor \"input\"", "a batch of 1 or of any size", "found 4")
        try job.expectInferenceRefused(naming: "model.onnx", "tensor \"input\"", "[4, 1, 28, 28]", "[6, 1, 28, 28]")
    }

    @Test func encodingsThatCannotBeUsed() throws {
        let job = try SpoiledJob()
        func encodings(_ activation: String, version: String = "1.0.0") -> Data {
            let entry = """
                {"name": "\(activation)", "dtype": "INT", "enc_type": "PER_TENSOR", "bw": 8, "is_sym": false,
                "offset": [0], "scale": [0.5]}
                """
            return Data(
                """
                {"version": "\(version)", "activation_encodings": [\(entry)], "param_encodings": []}
                """.utf8)
        }
        try job.scratch.write(encodings("flat"), to: "right.encodings")
        try job.scratch.write(encodings("flat").dropLast(40), to: "broken.encodings")
        try job.scratch.write(encodings("conv99"), to: "other.encodings")
        try job.scratch.write(encodings("flat", version: "7.0"), to: "version.encodings")
        try job.expectInferenceRefused(encodings: "broken.encodings", naming: "broken.encodings", "malformed", "JSON")
        try job.expectInferenceRefused(encodings: "other.encodings", naming: "other.encodings", "conv99")
        try job.expectInferenceRefused(encodings: "version.encodings", naming: "version.encodings", "1.0.0", "7.0")
        try job.expectInferenceRefused(encodings: "none.encodings", naming: "none.encodings", "No such file")
        // So that the others do not fail for another reason.
        let process = try QuantSimProcess(
            [
                "infer", "model.onnx", "--input", "images.npz", "--output", "o.npz", "--encodings", "right.encodings",
            ].map { $0.contains(".") ? job.folder.appendingPathComponent($0).path : $0 }, in: job.folder)
        #expect(try process.exitCode() == 0, "\(process.standardError)")
    }
}
