import App
import Datasets
import Foundation
import JobFile
import Quantization
import Support
import TestSupport
import Testing
import Training

@Suite struct JobFileTests {
    /// Every key of the format.
    static let full = """
        model: resnet20.onnx
        dataset:
          calibration: {path: "cifar10/train-*.tar", samples: 2000}
          training:    {path: "cifar10/train-*.tar", augment: {crop_padding: 4, horizontal_flip: true}}
          evaluation:  {path: "cifar10/test-*.tar"}
          image: {size: [32, 48], mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225]}
          batch: 16
          on_bad_sample: skip
        quantization:
          config: default_per_channel
          scheme: entropy
          activation_scheme: percentile
          parameter_scheme: mse
          percentile: 99.5
          activation_bitwidth: 16
          parameter_bitwidth: 4
        post_training: [fold_batch_norms, cross_layer_equalization, bias_correction]
        training:
          epochs: 15
          loss: mse
          optimizer: {name: sgd, learning_rate: 1.0e-4, momentum: 0.9}
          schedule: {divide_by: 10, every_epochs: 5}
          global_batch: 128
          slots: 16
          seed: 7
          patience: 4
          evaluate_every_epochs: 2
        export: {encodings: ["1.0.0", "0.6.1", 2.0.0], onnx_qdq: true}
        instruction_set: avx2
        """

    static let minimal = SmallJob.minimal

    @Test(arguments: [
        ("[32, 48]", ImageSizing.stretched(height: 32, width: 48), "[32,48]"),
        ("keep", .kept(multipleOf: 1), "\"keep\""), ("keep, multiple_of: 32", .kept(multipleOf: 32), "\"keep\""),
        (
            "{buckets: [[256, 192], [192, 256]]}",
            .buckets([.init(height: 256, width: 192), .init(height: 192, width: 256)]),
            "{\"buckets\":[[256,192],[192,256]]}"
        ),
    ]) func imagesHaveSizes(_ text: String, _ sizing: ImageSizing, _ written: String) throws {
        let job = try JobFile(
            decoding: Self.full.replacingOccurrences(of: "size: [32, 48]", with: "size: \(text)"), file: "job.yml")
        #expect(job.dataset.image?.sizing == sizing)
        // The report repeats the job in its keys.
        let json = String(decoding: try JSONEncoder().encode(job.dataset.image), as: UTF8.self)
        #expect(json.contains("\"size\":\(written)"), "\(json)")
        #expect(json.contains("multiple_of") == text.hasPrefix("keep"))
    }

    @Test func everyKeyIsRead() throws {
        let job = try JobFile(decoding: Self.full, file: "jobs/job.yml")
        #expect(job.model == "resnet20.onnx")
        #expect(job.dataset.calibration.path == "cifar10/train-*.tar")
        #expect(job.dataset.calibration.samples == 2000)
        #expect(job.dataset.training?.augment?.cropPadding == 4)
        #expect(job.dataset.training?.augment?.horizontalFlip == true)
        #expect(job.dataset.evaluation?.path == "cifar10/test-*.tar")
        #expect(job.dataset.evaluation?.samples == nil)
        let image = try #require(job.dataset.image)
        #expect(image.sizing == .stretched(height: 32, width: 48))
        #expect(image.mean == [0.485, 0.456, 0.406])
        #expect(image.std == [0.229, 0.224, 0.225])
        #expect(job.dataset.batch == 16)
        #expect(job.dataset.onBadSample == .skip)
        #expect(job.quantization.config == .named("default_per_channel"))
        #expect(job.quantization.scheme == .entropy)
        #expect(job.quantization.schemes == (.percentile(99.5), .mse))
        #expect(job.quantization.activationBitwidth == 16)
        #expect(job.quantization.parameterBitwidth == 4)
        #expect(job.postTraining == [.foldBatchNorms, .crossLayerEqualization, .biasCorrection])
        let training = try #require(job.training)
        #expect(training.duration == .epochs(15))
        #expect(training.loss == .mse)
        #expect(training.optimizer.rule == .sgd(momentum: 0.9, nesterov: false))
        #expect(training.optimizer.learningRate == 1e-4)
        #expect(training.schedule.decay == .divide(by: 10, everyEpochs: 5))
        #expect((training.globalBatch, training.slots, training.seed) == (128, 16, 7))
        #expect((training.patience, training.evaluateEveryEpochs) == (4, 2))
        #expect(job.export.encodings == [.v1_0_0, .v0_6_1, .v2_0_0])
        #expect(job.export.onnxQDQ)
        #expect(job.instructionSet == .avx2)
        #expect(job.lines["model"] == 1)
        #expect(job.lines["dataset.calibration.samples"] == 3)
        #expect(job.lines["training.optimizer.learning_rate"] == 21)
        #expect(job.lines["export.encodings[2]"] == 28)
    }

    @Test func absentKeysHaveDefaults() throws {
        let job = try JobFile(decoding: Self.minimal, file: "job.yml")
        #expect(job.dataset.calibration.samples == nil)
        #expect(job.dataset.batch == 32)
        #expect(job.dataset.onBadSample == .stop)
        #expect(job.dataset.image == nil)
        #expect(job.quantization.config == .named("default"))
        #expect(job.quantization.scheme == .tfEnhanced)
        #expect(job.quantization.activationBitwidth == 8)
        #expect(job.quantization.parameterBitwidth == 8)
        #expect(job.postTraining == [.foldBatchNorms])
        #expect(job.training == nil)
        #expect(job.export.encodings == [.v1_0_0])
        #expect(!job.export.onnxQDQ)
        #expect(job.instructionSet == nil)
    }

    @Test func anInstructionSetIsWrittenAsItIsRead() throws {
        for (word, expected) in [("auto", nil), ("avx2", InstructionSet.avx2), ("avx512", .avx512)] {
            let job = try JobFile(decoding: Self.minimal + "\ninstruction_set: \(word)", file: "job.yml")
            #expect(job.instructionSet == expected)
            let bytes = try JSONEncoder().encode(job)
            let object = try #require(try JSONSerialization.jsonObject(with: bytes) as? [String: Any])
            #expect(object["instruction_set"] as? String == word)
        }
    }

    @Test func aSchemeIsForBothKindsUnlessOneHasItsOwn() throws {
        func schemes(_ keys: String) throws -> [Scheme] {
            let job = try JobFile(decoding: Self.minimal + "\nquantization: {\(keys)}", file: "job.yml")
            return [job.quantization.schemes.activations, job.quantization.schemes.parameters]
        }
        #expect(try schemes("config: default") == [.tfEnhanced, .tfEnhanced])
        #expect(try schemes("scheme: mse") == [.mse, .mse])
        #expect(try schemes("activation_scheme: entropy") == [.entropy, .tfEnhanced])
        #expect(try schemes("scheme: tf, parameter_scheme: percentile") == [.tf, .percentile(99.999)])
        #expect(try schemes("percentile: 100, scheme: percentile") == [.percentile(100), .percentile(100)])
    }

    @Test func aStageListMayBeEmpty() throws {
        let job = try JobFile(decoding: Self.minimal + "\npost_training: []", file: "job.yml")
        #expect(job.postTraining.isEmpty)
    }

    @Test(arguments: ["rules.json", "./rules", "../rules.json", "/etc/rules"])
    func aConfigWithSlashOrDotIsAPath(_ path: String) throws {
        let job = try JobFile(decoding: Self.minimal + "\nquantization: {config: \(path)}", file: "job.yml")
        #expect(job.quantization.config == .path(path))
    }

    @Test func pathsAreRelativeToTheJobFile() throws {
        let job = try JobFile(decoding: Self.minimal, file: "/srv/jobs/./one/job.yml")
        #expect(job.folder.path == "/srv/jobs/one")
        #expect(job.url(for: "m.onnx").path == "/srv/jobs/one/m.onnx")
        #expect(job.url(for: "../data/train-*.tar").path == "/srv/jobs/data/train-*.tar")
        #expect(job.url(for: "/data/x.npz").path == "/data/x.npz")

        let here = try JobFile(decoding: Self.minimal, file: "job.yml")
        #expect(here.url(for: "m.onnx").path == FileManager.default.currentDirectoryPath + "/m.onnx")
    }

    @Test func laterErrorsKnowTheLine() throws {
        let job = try JobFile(decoding: Self.minimal, file: "job.yml")
        let error = job.error(.missingKey, key: "dataset.calibration.path", found: "x")
        #expect(error == JobError(.missingKey, file: "job.yml", key: "dataset.calibration.path", line: 3, found: "x"))
        #expect(job.error(.missingKey, key: "dataset.image").line == nil)
    }

    /// As the report repeats it: in the keys of the job file, with what was left open.
    @Test func aJobIsWrittenInItsOwnKeys() throws {
        func json(_ text: String) throws -> [String: Any] {
            let data = try JSONEncoder().encode(JobFile(decoding: text, file: "job.yml"))
            return try #require(JSONSerialization.jsonObject(with: data) as? [String: Any])
        }
        let full = try json(Self.full)
        #expect(
            full.keys.sorted() == [
                "dataset", "export", "instruction_set", "model", "post_training", "quantization", "training",
            ])
        let training = try #require(full["training"] as? [String: Any])
        #expect(
            training as NSDictionary == [
                "epochs": 15, "loss": "mse",
                "optimizer": [
                    "name": "sgd", "learning_rate": 1e-4, "momentum": 0.9, "nesterov": false, "weight_decay": 0,
                ],
                "schedule": ["decay": "divide", "divide_by": 10, "every_epochs": 5, "warm_up_steps": 0],
                "global_batch": 128, "slots": 16, "seed": 7, "patience": 4, "evaluate_every_epochs": 2,
                "ranges": "learned", "weight_encodings": "follow", "gradient_bits": 32, "batch_norms": "folded",
            ] as NSDictionary)
        let dataset = try #require(full["dataset"] as? [String: Any])
        #expect(
            (dataset["training"] as? [String: Any] ?? [:]) as NSDictionary == [
                "path": "cifar10/train-*.tar", "order": "spread",
                "augment": ["crop_padding": 4, "horizontal_flip": true],
            ] as NSDictionary)
        #expect(
            (full["export"] as? [String: Any] ?? [:]) as NSDictionary
                == ["encodings": ["1.0.0", "0.6.1", "2.0.0"], "onnx_qdq": true] as NSDictionary)
        let steps = try json(Self.full.replacingOccurrences(of: "epochs: 15", with: "steps: 15"))
        #expect((steps["training"] as? [String: Any])?["steps"] as? Int == 15)
        let minimal = try json(Self.minimal)
        #expect(minimal["training"] == nil && minimal["instruction_set"] as? String == "auto")
        #expect((minimal["dataset"] as? [String: Any])?["batch"] as? Int == 32)
    }

    @Test func anchorsAreFollowed() throws {
        let text = """
            model: m.onnx
            dataset:
              calibration: &images {path: data.npz, samples: 5}
              evaluation: *images
            """
        let job = try JobFile(decoding: text, file: "job.yml")
        #expect(job.dataset.evaluation == job.dataset.calibration)
    }

    @Test func aFileIsRead() throws {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("job-\(UUID().uuidString).yml")
        defer { try? FileManager.default.removeItem(at: file) }
        try Data(Self.minimal.utf8).write(to: file)
        #expect(try JobFile.read(file.path).model == "m.onnx")

        try Data([0x6D, 0xFF, 0xFE]).write(to: file)
        #expect(throws: JobError(.invalidYAML, file: file.path, expected: "text in UTF-8")) {
            try JobFile.read(file.path)
        }
    }

    @Test func aFileThatIsAbsentIsNamed() {
        let error = #expect(throws: JobError.self) { try JobFile.read("/nowhere/job.yml") }
        #expect(error.map { Failure($0).sentence } == "/nowhere/job.yml: cannot be read: No such file or directory")
        #expect(error.map { Failure($0).exitReason } == .permanent)
    }

    @Test func theAnalysisSection() throws {
        func job(_ text: String) throws -> JobFile {
            try JobFile(decoding: Self.minimal + "\n" + text, file: "job.yml")
        }
        #expect(try job("").analysis == nil)
        #expect(try job("analysis: {}").analysis != nil)
        #expect(try job("analysis: {samples: 500}").analysis?.samples == 500)
        for (text, code) in [
            ("analysis: {samples: 0}", JobError.Code.outOfRange), ("analysis: {sample: 5}", .unknownKey),
            ("analysis: {samples: many}", .wrongType), ("analysis: yes", .wrongType),
        ] {
            #expect(throws: JobError.self) { try job(text) }
            do { _ = try job(text) } catch let error as JobError { #expect(error.code == code, "\(text)") }
        }
    }
}
