import Foundation
import Jobs

// What the commands of the command line ask of this module, one value a command.

/// `quantsim demo`.
public struct DemoOptions: Equatable, Sendable {
    /// Worker processes to launch, at least one.
    public var workers: Int
    /// The folder for job and results; made where it is absent.
    public var output: URL
    /// What becomes of what is in the folder.
    public var former: FormerResults

    public init(workers: Int, output: URL, former: FormerResults) {
        self.workers = workers
        self.output = output
        self.former = former
    }
}

/// `quantsim run`: coordinator and workers on this machine.
public struct RunOptions: Equatable, Sendable {
    /// Path of the job file as the user gave it.
    public var job: String
    /// Worker processes to launch on this machine, at least one.
    public var workers: Int
    /// The folder for results; made where it is absent.
    public var output: URL
    /// What becomes of what is in the folder.
    public var former: FormerResults

    public init(job: String, workers: Int, output: URL, former: FormerResults = .goOn) {
        self.job = job
        self.workers = workers
        self.output = output
        self.former = former
    }
}

/// `quantsim coordinator`.
public struct CoordinatorOptions: Equatable, Sendable {
    /// Path of the job file as the user gave it.
    public var job: String
    /// ZeroMQ endpoint, such as `tcp://*:5555`.
    public var endpoint: String
    /// The folder for results; made where it is absent.
    public var output: URL
    /// What becomes of what is in the folder.
    public var former: FormerResults

    public init(job: String, endpoint: String, output: URL, former: FormerResults) {
        self.job = job
        self.endpoint = endpoint
        self.output = output
        self.former = former
    }
}

/// `quantsim worker`.
public struct WorkerOptions: Equatable, Sendable {
    /// ZeroMQ endpoint of the coordinator, such as `tcp://host:5555`.
    public var endpoint: String
    /// One per core where nil.
    public var lanes: Int?
    /// Where other workers connect to in a training; any free port where nil, none where 0.
    public var peerPort: Int?
    /// End when standard input does: whoever launched this worker holds the other end.
    public var exitsWithParent: Bool

    public init(endpoint: String, lanes: Int?, peerPort: Int?, exitsWithParent: Bool) {
        self.endpoint = endpoint
        self.lanes = lanes
        self.peerPort = peerPort
        self.exitsWithParent = exitsWithParent
    }
}

/// `quantsim infer`.
public struct InferenceOptions: Equatable, Sendable {
    /// An ONNX file.
    public var model: URL
    /// An `.npz` file with one array per input of the model.
    public var input: URL
    /// The `.npz` file to write, one array per output.
    public var output: URL
    /// Fake-quantize with these.
    public var encodings: URL?

    public init(model: URL, input: URL, output: URL, encodings: URL?) {
        self.model = model
        self.input = input
        self.output = output
        self.encodings = encodings
    }
}

/// `quantsim inspect` of a model under a config, or under a job.
public struct PlacementInspectionOptions: Equatable, Sendable {
    /// What places quantizers.
    public enum Rules: Equatable, Sendable {
        /// A config alone, of which `Config` says more.
        case config(Config)
        /// Path of a job file: its config, bit widths, overrides and encodings files.
        case job(String)
    }

    /// A config, and what a job would say beside it.
    public struct Config: Equatable, Sendable {
        /// Name of a built-in config, or path of a config file.
        public var name: String
        /// As a job does whose `post_training` says so.
        public var foldsBatchNorms: Bool
        /// 2 to 16.
        public var activationBitwidth: Int
        /// 2 to 16.
        public var parameterBitwidth: Int

        public init(name: String, foldsBatchNorms: Bool, activationBitwidth: Int, parameterBitwidth: Int) {
            self.name = name
            self.foldsBatchNorms = foldsBatchNorms
            self.activationBitwidth = activationBitwidth
            self.parameterBitwidth = parameterBitwidth
        }
    }

    /// An ONNX file.
    public var model: URL
    /// What places the quantizers that are shown.
    public var rules: Rules
    /// The tensor whose quantizer is told in full; a table of all where nil.
    public var tensor: String?

    public init(model: URL, rules: Rules, tensor: String?) {
        self.model = model
        self.rules = rules
        self.tensor = tensor
    }
}
