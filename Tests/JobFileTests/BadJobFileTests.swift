import App
import Foundation
import JobFile
import Testing

/// A line of a job file made wrong, the error that must follow, and the sentence that the user must read.
struct BadJob: CustomTestStringConvertible, Sendable {
    var text: String
    var error: JobError
    var sentence: String
    var testDescription: String { sentence }

    /// A whole job file.
    init(_ text: String, _ error: JobError, _ sentence: String) {
        self.text = text
        self.error = error
        self.error.file = "job.yml"
        self.sentence = "job.yml" + sentence
    }

    /// The minimal job file and a fourth line.
    init(fourthLine: String, _ error: JobError, _ sentence: String) {
        self.init(JobFileTests.minimal + "\n" + fourthLine, error, sentence)
        self.error.line = self.error.line ?? 4
    }
}

@Suite struct BadJobFileTests {
    static let structure: [BadJob] = [
        BadJob(
            "", JobError(.wrongType, expected: "a mapping", found: "nothing"), ": expected a mapping, found nothing"),
        BadJob(
            "- a", JobError(.wrongType, expected: "a mapping", found: "a list of 1"),
            ": expected a mapping, found a list of 1"),
        BadJob(
            "dataset: {calibration: {path: x}}", JobError(.missingKey, key: "model"), ": missing key model"),
        BadJob("model: m.onnx", JobError(.missingKey, key: "dataset"), ": missing key dataset"),
        BadJob(
            "model: m.onnx\ndataset: {batch: 2}", JobError(.missingKey, key: "dataset.calibration", line: 2),
            ", line 2: missing key dataset.calibration"),
        BadJob(
            "model: m.onnx\ndataset:\n  calibration: {samples: 2}",
            JobError(.missingKey, key: "dataset.calibration.path", line: 3),
            ", line 3: missing key dataset.calibration.path"),
        BadJob(
            "model: m.onnx\ndataset:\n  calibration:\n",
            JobError(
                .wrongType, key: "dataset.calibration", line: 3, expected: "a mapping", found: "nothing"),
            ", line 3, dataset.calibration: expected a mapping, found nothing"),
        BadJob(
            "model: m.onnx\nmodel: n.onnx", JobError(.duplicateKey, key: "model", line: 1),
            ", line 1, model: given twice"),
        BadJob(
            "model: [m.onnx", JobError(.invalidYAML, line: 2, found: "did not find expected ',' or ']'"),
            ", line 2: not valid YAML: did not find expected ',' or ']'"),
        BadJob(
            "model: m.onnx\n\tdataset: x",
            JobError(.invalidYAML, line: 2, found: "found a tab character that violates indentation"),
            ", line 2: not valid YAML: found a tab character that violates indentation"),
    ]

    static let keys: [BadJob] = [
        BadJob(
            fourthLine: "quantisation: {}",
            JobError(
                .unknownKey, key: "quantisation",
                expected: "model, dataset, quantization, post_training, training, analysis, export or instruction_set",
                found: "quantisation", suggestion: "quantization"),
            ", line 4: unknown key quantisation, did you mean \"quantization\"?"),
        BadJob(
            fourthLine: "colour: blue",
            JobError(
                .unknownKey, key: "colour",
                expected: "model, dataset, quantization, post_training, training, analysis, export or instruction_set",
                found: "colour"),
            ", line 4: unknown key colour: expected model, dataset, quantization, post_training, training, analysis, export or "
                + "instruction_set"),
        BadJob(
            "model: m.onnx\ndataset:\n  calibration: {path: x,\n    sample: 20}",
            JobError(
                .unknownKey, key: "dataset.calibration.sample", line: 4, expected: "path, samples or order",
                found: "sample",
                suggestion: "samples"),
            ", line 4: unknown key dataset.calibration.sample, did you mean \"samples\"?"),
        // Only training data is augmented.
        BadJob(
            fourthLine: "  evaluation: {path: x, augment: {crop_padding: 4}}",
            JobError(
                .unknownKey, key: "dataset.evaluation.augment", expected: "path, samples or order", found: "augment"),
            ", line 4: unknown key dataset.evaluation.augment: expected path, samples or order"),
        BadJob(
            fourthLine: "quantization: {activation_bitwith: 8}",
            JobError(
                .unknownKey, key: "quantization.activation_bitwith",
                expected:
                    "config, scheme, activation_scheme, parameter_scheme, percentile, activation_bitwidth, parameter_bitwidth, overrides or encodings",
                found: "activation_bitwith", suggestion: "activation_bitwidth"),
            ", line 4: unknown key quantization.activation_bitwith, did you mean \"activation_bitwidth\"?"),
    ]

    private static let configs =
        "default, default_per_channel, htp_v66, htp_v68, htp_v69, htp_v73, htp_v75, htp_v79, htp_v81, htp_v85 "
        + "or the path of a config file"

    static let values: [BadJob] = [
        BadJob(
            fourthLine: "  batch: many",
            JobError(
                .wrongType, key: "dataset.batch", expected: "a whole number from 1 to 65536", found: "\"many\""),
            ", line 4, dataset.batch: expected a whole number from 1 to 65536, found \"many\""),
        BadJob(
            fourthLine: "  batch: 0",
            JobError(.outOfRange, key: "dataset.batch", expected: "a whole number from 1 to 65536", found: "0"),
            ", line 4, dataset.batch: expected a whole number from 1 to 65536, found 0"),
        BadJob(
            fourthLine: "  batch: 2.5",
            JobError(.wrongType, key: "dataset.batch", expected: "a whole number from 1 to 65536", found: "2.5"),
            ", line 4, dataset.batch: expected a whole number from 1 to 65536, found 2.5"),
        BadJob(
            fourthLine: "  batch: \"8\"",
            JobError(.wrongType, key: "dataset.batch", expected: "a whole number from 1 to 65536", found: "\"8\""),
            ", line 4, dataset.batch: expected a whole number from 1 to 65536, found \"8\""),
        BadJob(
            fourthLine: "  evaluation: {path: 5}",
            JobError(.wrongType, key: "dataset.evaluation.path", expected: "text", found: "5"),
            ", line 4, dataset.evaluation.path: expected text, found 5"),
        BadJob(
            fourthLine: "  evaluation: {path: \"\"}",
            JobError(.wrongType, key: "dataset.evaluation.path", expected: "text", found: "\"\""),
            ", line 4, dataset.evaluation.path: expected text, found \"\""),
        BadJob(
            fourthLine: "  evaluation: {path: x, samples: -3}",
            JobError(
                .outOfRange, key: "dataset.evaluation.samples", expected: "a whole number of at least 1", found: "-3"),
            ", line 4, dataset.evaluation.samples: expected a whole number of at least 1, found -3"),
        BadJob(
            fourthLine: "  on_bad_sample: skp",
            JobError(
                .unknownChoice, key: "dataset.on_bad_sample", expected: "stop or skip", found: "\"skp\"",
                suggestion: "skip"),
            ", line 4, dataset.on_bad_sample: expected stop or skip, found \"skp\", did you mean \"skip\"?"),
        BadJob(
            fourthLine: "  image: {size: [32], mean: [0, 0, 0], std: [1, 1, 1]}",
            JobError(
                .wrongType, key: "dataset.image.size", expected: "a list of 2 pixel counts (height, width)",
                found: "a list of 1"),
            ", line 4, dataset.image.size: expected a list of 2 pixel counts (height, width), found a list of 1"),
        BadJob(
            fourthLine: "  image: {size: kep, mean: [0, 0, 0], std: [1, 1, 1]}",
            JobError(
                .unknownChoice, key: "dataset.image.size", expected: "keep", found: "\"kep\"", suggestion: "keep"),
            ", line 4, dataset.image.size: expected keep, found \"kep\", did you mean \"keep\"?"),
        BadJob(
            fourthLine: "  image: {size: [32, 32], multiple_of: 8, mean: [0, 0, 0], std: [1, 1, 1]}",
            JobError(
                .conflictingKeys, key: "dataset.image.multiple_of", expected: "size: keep, which it is for", found: "8"),
            ", line 4, dataset.image.multiple_of: expected size: keep, which it is for, found 8"),
        BadJob(
            fourthLine: "  image: {size: {buckets: [[8, 8], [8, 8]]}, mean: [0, 0, 0], std: [1, 1, 1]}",
            JobError(
                .outOfRange, key: "dataset.image.size.buckets", expected: "1 to 256 different sizes", found: "2"),
            ", line 4, dataset.image.size.buckets: expected 1 to 256 different sizes, found 2"),
        BadJob(
            fourthLine: "  image: {size: [32, 32], mean: [0, x, 0], std: [1, 1, 1]}",
            JobError(.wrongType, key: "dataset.image.mean[1]", expected: "a number", found: "\"x\""),
            ", line 4, dataset.image.mean[1]: expected a number, found \"x\""),
        BadJob(
            fourthLine: "  image: {size: [32, 32], mean: [0, 1e999, 0], std: [1, 1, 1]}",
            JobError(.outOfRange, key: "dataset.image.mean[1]", expected: "a number", found: "1e999"),
            ", line 4, dataset.image.mean[1]: expected a number, found 1e999"),
        BadJob(
            fourthLine: "  image: {size: [32, 32], mean: [0, 0, 0], std: [1, 0, 1]}",
            JobError(.outOfRange, key: "dataset.image.std[1]", expected: "a number above 0", found: "0"),
            ", line 4, dataset.image.std[1]: expected a number above 0, found 0"),
        BadJob(
            fourthLine: "  image: {size: [32, 32], mean: [0, 0, 0]}",
            JobError(.missingKey, key: "dataset.image.std"), ", line 4: missing key dataset.image.std"),
        BadJob(
            fourthLine: "quantization: {scheme: tf_enhance}",
            JobError(
                .unknownChoice, key: "quantization.scheme", expected: "tf, tf_enhanced, percentile, mse or entropy",
                found: "\"tf_enhance\"", suggestion: "tf_enhanced"),
            ", line 4, quantization.scheme: expected tf, tf_enhanced, percentile, mse or entropy, "
                + "found \"tf_enhance\", did you mean \"tf_enhanced\"?"),
        BadJob(
            fourthLine: "quantization: {parameter_scheme: percentle}",
            JobError(
                .unknownChoice, key: "quantization.parameter_scheme",
                expected: "tf, tf_enhanced, percentile, mse or entropy", found: "\"percentle\"",
                suggestion: "percentile"),
            ", line 4, quantization.parameter_scheme: expected tf, tf_enhanced, percentile, mse or entropy, "
                + "found \"percentle\", did you mean \"percentile\"?"),
        BadJob(
            fourthLine: "quantization: {percentile: 99.9, scheme: mse, parameter_scheme: tf}",
            JobError(
                .conflictingKeys, key: "quantization.percentile",
                expected: "the scheme percentile for activations or parameters", found: "mse and tf"),
            ", line 4, quantization.percentile: expected the scheme percentile for activations or parameters, "
                + "found mse and tf"),
        BadJob(
            fourthLine: "quantization: {scheme: percentile, percentile: 50}",
            JobError(
                .outOfRange, key: "quantization.percentile", expected: "a number above 50, at most 100", found: "50"),
            ", line 4, quantization.percentile: expected a number above 50, at most 100, found 50"),
        BadJob(
            fourthLine: "quantization: {config: defualt}",
            JobError(
                .unknownChoice, key: "quantization.config",
                expected: configs, found: "\"defualt\"", suggestion: "default"),
            ", line 4, quantization.config: expected \(configs), found \"defualt\", did you mean \"default\"?"),
        BadJob(
            fourthLine: "quantization: {parameter_bitwidth: 1}",
            JobError(
                .outOfRange, key: "quantization.parameter_bitwidth", expected: "a whole number from 2 to 16",
                found: "1"),
            ", line 4, quantization.parameter_bitwidth: expected a whole number from 2 to 16, found 1"),
        BadJob(
            fourthLine: "post_training: fold_batch_norms",
            JobError(.wrongType, key: "post_training", expected: "a list of stages", found: "\"fold_batch_norms\""),
            ", line 4, post_training: expected a list of stages, found \"fold_batch_norms\""),
        BadJob(
            fourthLine: "post_training: [fold_batch_norms, fold_batch_norms]",
            JobError(.duplicateKey, key: "post_training[1]", found: "\"fold_batch_norms\""),
            ", line 4, post_training[1]: given twice: \"fold_batch_norms\""),
        BadJob(
            fourthLine: "post_training:\n  - fold_batch_norm",
            JobError(
                .unknownChoice, key: "post_training[0]", line: 5,
                expected: "fold_batch_norms, cross_layer_equalization, sequential_mse, adaround or bias_correction",
                found: "\"fold_batch_norm\"", suggestion: "fold_batch_norms"),
            ", line 5, post_training[0]: expected fold_batch_norms, cross_layer_equalization, sequential_mse, adaround or bias_correction, "
                + "found \"fold_batch_norm\", did you mean \"fold_batch_norms\"?"),
        BadJob(
            fourthLine: "export: {encodings: []}",
            JobError(.outOfRange, key: "export.encodings", expected: "at least one version", found: "a list of 0"),
            ", line 4, export.encodings: expected at least one version, found a list of 0"),
        BadJob(
            fourthLine: "export: {encodings: [\"1.0\"]}",
            JobError(
                .unknownChoice, key: "export.encodings[0]", expected: "0.6.1, 1.0.0 or 2.0.0", found: "\"1.0\""),
            ", line 4, export.encodings[0]: expected 0.6.1, 1.0.0 or 2.0.0, found \"1.0\""),
        BadJob(
            fourthLine: "export: {onnx_qdq: yes}",
            JobError(.wrongType, key: "export.onnx_qdq", expected: "true or false", found: "\"yes\""),
            ", line 4, export.onnx_qdq: expected true or false, found \"yes\""),
        BadJob(
            fourthLine: "instruction_set: avx",
            JobError(
                .unknownChoice, key: "instruction_set", expected: "auto, avx2 or avx512", found: "\"avx\"",
                suggestion: "avx2"),
            ", line 4, instruction_set: expected auto, avx2 or avx512, found \"avx\", did you mean \"avx2\"?"),
    ]

    private static let optimizer = "optimizer: {name: sgd, learning_rate: 1}"

    static let training: [BadJob] = [
        BadJob(
            fourthLine: "training: {epochs: 1, steps: 2, \(optimizer), global_batch: 8, slots: 2}",
            JobError(.conflictingKeys, key: "training.steps", expected: "epochs or steps", found: "both"),
            ", line 4, training.steps: expected epochs or steps, found both"),
        BadJob(
            fourthLine: "training: {epochs: 1, \(optimizer), global_batch: 8, slots: 3}",
            JobError(.outOfRange, key: "training.slots", expected: "a divisor of global_batch (8)", found: "3"),
            ", line 4, training.slots: expected a divisor of global_batch (8), found 3"),
        BadJob(
            fourthLine: "training: {epochs: 1, optimizer: {name: sgd, learning_rate: 0}, global_batch: 8, slots: 2}",
            JobError(
                .outOfRange, key: "training.optimizer.learning_rate", expected: "a number above 0", found: "0"),
            ", line 4, training.optimizer.learning_rate: expected a number above 0, found 0"),
        BadJob(
            fourthLine: "training: {optimizer: rmsprop}",
            JobError(.unknownChoice, key: "training.optimizer", expected: "sgd, adam or adamw", found: "\"rmsprop\""),
            ", line 4, training.optimizer: expected sgd, adam or adamw, found \"rmsprop\""),
        BadJob(
            fourthLine: "training: {optimizer: {name: adma}}",
            JobError(
                .unknownChoice, key: "training.optimizer.name", expected: "sgd, adam or adamw", found: "\"adma\"",
                suggestion: "adam"),
            ", line 4, training.optimizer.name: expected sgd, adam or adamw, found \"adma\", did you mean \"adam\"?"),
        BadJob(
            fourthLine: "training: {optimizer: {name: adam, momentum: 0.9}}",
            JobError(
                .conflictingKeys, key: "training.optimizer.momentum",
                expected: "a key of adam: name, learning_rate, weight_decay, betas or epsilon", found: "momentum"),
            ", line 4, training.optimizer.momentum: expected a key of adam: name, learning_rate, weight_decay, betas or epsilon, found momentum"
        ),
        BadJob(
            fourthLine: "training: {optimizer: {betas: [0.9, 0.99]}}",
            JobError(
                .conflictingKeys, key: "training.optimizer.betas",
                expected: "a key of sgd: name, learning_rate, weight_decay, momentum or nesterov", found: "betas"),
            ", line 4, training.optimizer.betas: expected a key of sgd: name, learning_rate, weight_decay, momentum or nesterov, found betas"
        ),
        BadJob(
            fourthLine: "training: {optimizer: {momentum: 1}}",
            JobError(
                .outOfRange, key: "training.optimizer.momentum", expected: "a number from 0 to below 1", found: "1"),
            ", line 4, training.optimizer.momentum: expected a number from 0 to below 1, found 1"),
        BadJob(
            fourthLine: "training: {optimizer: {momentum: 0, nesterov: true}}",
            JobError(
                .conflictingKeys, key: "training.optimizer.nesterov", expected: "a momentum above 0 for nesterov",
                found: "momentum 0"),
            ", line 4, training.optimizer.nesterov: expected a momentum above 0 for nesterov, found momentum 0"),
        BadJob(
            fourthLine: "training: {optimizer: {name: adam, betas: [0.9]}}",
            JobError(
                .wrongType, key: "training.optimizer.betas", expected: "a list of 2 numbers", found: "a list of 1"),
            ", line 4, training.optimizer.betas: expected a list of 2 numbers, found a list of 1"),
        BadJob(
            fourthLine: "training: {optimizer: {name: adam, betas: [0.9, 1]}}",
            JobError(
                .outOfRange, key: "training.optimizer.betas[1]", expected: "a number from 0 to below 1", found: "1"),
            ", line 4, training.optimizer.betas[1]: expected a number from 0 to below 1, found 1"),
        BadJob(
            fourthLine: "training: {optimizer: {name: adamw, epsilon: 0}}",
            JobError(.outOfRange, key: "training.optimizer.epsilon", expected: "a number above 0", found: "0"),
            ", line 4, training.optimizer.epsilon: expected a number above 0, found 0"),
        BadJob(
            fourthLine: "training: {optimizer: {weight_decay: -1}}",
            JobError(
                .outOfRange, key: "training.optimizer.weight_decay", expected: "a number of at least 0", found: "-1"),
            ", line 4, training.optimizer.weight_decay: expected a number of at least 0, found -1"),
        BadJob(
            fourthLine: "training: {clip_norm: 0}",
            JobError(.outOfRange, key: "training.clip_norm", expected: "a number above 0", found: "0"),
            ", line 4, training.clip_norm: expected a number above 0, found 0"),
        BadJob(
            fourthLine: "training: {schedule: {decay: cosine, divide_by: 2}}",
            JobError(
                .conflictingKeys, key: "training.schedule.divide_by",
                expected: "a key of decay cosine: decay, warm_up_steps or final_share", found: "divide_by"),
            ", line 4, training.schedule.divide_by: expected a key of decay cosine: decay, warm_up_steps or final_share, found divide_by"
        ),
        BadJob(
            fourthLine: "training: {schedule: {divide_by: 2, final_share: 0}}",
            JobError(
                .conflictingKeys, key: "training.schedule.final_share",
                expected: "a key of decay divide: decay, warm_up_steps, divide_by or every_epochs", found: "final_share"
            ),
            ", line 4, training.schedule.final_share: expected a key of decay divide: decay, warm_up_steps, divide_by or every_epochs, found final_share"
        ),
        BadJob(
            fourthLine: "training: {schedule: cosin}",
            JobError(
                .unknownChoice, key: "training.schedule", expected: "constant, divide or cosine", found: "\"cosin\"",
                suggestion: "cosine"),
            ", line 4, training.schedule: expected constant, divide or cosine, found \"cosin\", did you mean \"cosine\"?"
        ),
        BadJob(
            fourthLine: "training: {schedule: {decay: cosine, final_share: 2}}",
            JobError(.outOfRange, key: "training.schedule.final_share", expected: "a number from 0 to 1", found: "2"),
            ", line 4, training.schedule.final_share: expected a number from 0 to 1, found 2"),
        BadJob(
            fourthLine: "training: {schedule: {warm_up_steps: -1}}",
            JobError(
                .outOfRange, key: "training.schedule.warm_up_steps", expected: "a whole number from 0 to 1000000000",
                found: "-1"),
            ", line 4, training.schedule.warm_up_steps: expected a whole number from 0 to 1000000000, found -1"),
        BadJob(
            fourthLine: "training: {loss: mes}",
            JobError(
                .unknownChoice, key: "training.loss", expected: "cross_entropy, mse or distillation", found: "\"mes\"",
                suggestion: "mse"),
            ", line 4, training.loss: expected cross_entropy, mse or distillation, found \"mes\", did you mean \"mse\"?"
        ),
        BadJob(
            fourthLine: "training: {loss: {temperature: 2}}",
            JobError(.wrongType, key: "training.loss", expected: "name or output", found: "neither"),
            ", line 4, training.loss: expected name or output, found neither"),
        BadJob(
            fourthLine: "training: {loss: {name: mse, temperature: 2}}",
            JobError(
                .conflictingKeys, key: "training.loss.temperature", expected: "a key of mse: name", found: "temperature"
            ),
            ", line 4, training.loss.temperature: expected a key of mse: name, found temperature"),
        BadJob(
            fourthLine: "training: {loss: {output: l, name: mse}}",
            JobError(
                .conflictingKeys, key: "training.loss.name",
                expected: "a key of a loss that is an output of the model: output", found: "name"),
            ", line 4, training.loss.name: expected a key of a loss that is an output of the model: output, found name"),
        BadJob(
            fourthLine: "training: {loss: {name: distillation, temperature: 0}}",
            JobError(.outOfRange, key: "training.loss.temperature", expected: "a number above 0", found: "0"),
            ", line 4, training.loss.temperature: expected a number above 0, found 0"),
        BadJob(
            JobFileTests.minimal + "\ntraining: {epochs: 1, \(optimizer), global_batch: 8, slots: 2}",
            JobError(.missingKey, key: "dataset.training"), ": missing key dataset.training"),
        BadJob(
            fourthLine:
                "  training: {path: x}\ntraining: {epochs: 1, \(optimizer), global_batch: 8, slots: 2, patience: 3}",
            JobError(
                .conflictingKeys, key: "training.patience", line: 5, expected: "dataset.evaluation, which it needs",
                found: "none"),
            ", line 5, training.patience: expected dataset.evaluation, which it needs, found none"),
        BadJob(
            fourthLine: "training: {epochs: 1, \(optimizer), global_batch: 8, slots: 2, evaluate_every_epochs: 0}",
            JobError(
                .outOfRange, key: "training.evaluate_every_epochs", expected: "a whole number from 1 to 1000000",
                found: "0"),
            ", line 4, training.evaluate_every_epochs: expected a whole number from 1 to 1000000, found 0"),
    ]

    @Test(arguments: structure + keys + values + training)
    func aBadJobIsRefused(_ bad: BadJob) {
        let error = #expect(throws: JobError.self) { try JobFile(decoding: bad.text, file: "job.yml") }
        #expect(error == bad.error)
        #expect(error.map { Failure($0) } == Failure(bad.error))
        #expect(Failure(bad.error).sentence == bad.sentence)
        #expect(Failure(bad.error).exitReason == .permanent)
    }

    /// The parser is recursive; how deep it goes must not depend on the file.
    @Test func nestingIsLimited() {
        for nesting in ["[", "{a: ", "- "] {
            let text = String(repeating: nesting, count: 200_000)
            #expect(throws: JobError.self) { try JobFile(decoding: text, file: "job.yml") }
        }
    }

    /// Whatever is cut off or replaced in a job file: an error or a job, never a crash.
    @Test func aDamagedJobIsReadOrRefused() {
        let text = Array(JobFileTests.full.utf8)
        for position in stride(from: 0, to: text.count, by: 3) {
            for damaged in [
                Array(text[..<position]), text[..<position] + [UInt8(ascii: ":")] + text[(position + 1)...],
            ] {
                _ = try? JobFile(decoding: String(decoding: damaged, as: UTF8.self), file: "job.yml")
            }
        }
    }
}
