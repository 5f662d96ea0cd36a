// swift-tools-version: 6.2
import PackageDescription

let strict: [SwiftSetting] = [.treatAllWarnings(as: .error), .swiftLanguageMode(.v6)]

/// A module of the project. Modules are listed in dependency order: each imports only modules above it.
func module(
    _ name: String, _ dependencies: [Target.Dependency] = [], exclude: [String] = [], resources: [Resource] = []
) -> Target {
    .target(name: name, dependencies: dependencies, exclude: exclude, resources: resources, swiftSettings: strict)
}

/// The tests of a module, which may use the shared test support.
func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(
        name: name, dependencies: dependencies + ["TestSupport"], swiftSettings: strict)
}

let protobuf = Target.Dependency.product(name: "SwiftProtobuf", package: "swift-protobuf")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")

let package = Package(
    name: "quantsim",
    products: [.executable(name: "quantsim", targets: ["quantsim"])],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.5.0"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.1.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-protobuf", from: "1.28.0"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.0.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.0.0"),
    ],
    targets: [
        .systemLibrary(name: "CZeroMQ"),
        .systemLibrary(name: "COneDNN"),
        .systemLibrary(name: "CTurboJPEG", pkgConfig: "libturbojpeg"),
        .systemLibrary(name: "CSPNG", pkgConfig: "spng"),
        .systemLibrary(name: "CZip", pkgConfig: "libzip"),
        .systemLibrary(name: "CXXHash", pkgConfig: "libxxhash"),
        .systemLibrary(name: "CSodium", pkgConfig: "libsodium"),
        .target(
            name: "CKernels",
            cSettings: [
                // Debug builds too: these loops are unusable unoptimised. No contraction: results must not
                // depend on which variant fuses a multiply with an add.
                .unsafeFlags(["-O2", "-ffp-contract=off", "-Wall", "-Wextra", "-Werror"])
            ]),
        module("Support", ["CKernels", "CSodium"]),
        module("Tensors", ["CZip", "Support"]),
        module("ONNX", ["Support", "Tensors", protobuf], exclude: ["onnx.proto"]),
        module("TensorFunctions", ["Tensors"]),
        module("Nodes", ["ONNX", "TensorFunctions", "Tensors"]),
        module("CompositeOperators", ["Nodes", "ONNX", "TensorFunctions", "Tensors"]),
        module("Operators", ["CompositeOperators", "Nodes", "ONNX", "TensorFunctions", "Tensors"]),
        module("Definitions", ["CompositeOperators", "Nodes", "Operators", "TensorFunctions", "Tensors"]),
        module("Derivatives", ["Definitions", "Nodes", "Operators", "TensorFunctions", "Tensors"]),
        module("Graph", ["CompositeOperators", "Definitions", "Nodes", "ONNX", "Operators", "Tensors"]),
        module("Primitives", ["COneDNN", "Support", "Tensors"]),
        module(
            "Execution",
            [
                "Definitions", "Derivatives", "Graph", "Nodes", "Operators", "Primitives", "Support", "TensorFunctions",
                "Tensors",
            ]),
        module("Quantization", ["CKernels", "Support", "Tensors"]),
        module("Simulation", ["Graph", "Nodes", "ONNX", "Operators", "Quantization", "Support", "Tensors"]),
        module(
            "PostTraining", ["CKernels", "Graph", "Nodes", "Operators", "Quantization", "Support", "Tensors"]),
        module("Datasets", ["CSPNG", "CTurboJPEG", "Support", "Tensors"]),
        module("Training", ["CKernels", "CXXHash", "Quantization", "Support", "Tensors"]),
        module("Messaging", ["CXXHash", "CZeroMQ", "Support", protobuf], exclude: ["messages.proto"]),
        module(
            "ClusterProtocol",
            [
                "Messaging", "Support", logging, .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "OrderedCollections", package: "swift-collections"),
            ]),
        module(
            "Cluster",
            ["ClusterProtocol", "Messaging", "Support", logging, .product(name: "GRDB", package: "GRDB.swift")]),
        module(
            "Passes",
            [
                "Cluster", "ClusterProtocol", "Datasets", "Execution", "Graph", "Nodes", "ONNX", "Operators",
                "PostTraining", "Quantization", "Simulation", "Support", "TensorFunctions", "Tensors", "Training",
            ]),
        module("JobFile", ["Datasets", "Quantization", "Simulation", "Support", "Training", "Yams"]),
        module("Reports", ["JobFile", "Quantization", "Simulation", "Support", "Tensors"]),
        module(
            "Jobs",
            [
                "Cluster", "ClusterProtocol", "Datasets", "Execution", "Graph", "JobFile", "Nodes", "ONNX", "Operators",
                "Passes", "PostTraining", "Quantization", "Reports", "Simulation", "Support", "Tensors", "Training",
                logging,
            ]),
        module(
            "App",
            [
                "Cluster", "ClusterProtocol", "Datasets", "Execution", "Graph", "JobFile", "Jobs", "Nodes", "ONNX",
                "Operators",
                "Passes", "PostTraining", "Quantization", "Reports", "Simulation", "Support", "Tensors", "Training",
                logging,
            ], resources: [.copy("Demo")]),
        .executableTarget(
            name: "quantsim",
            dependencies: [
                "App", "JobFile", "Jobs", "Support", .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: strict),
        .executableTarget(
            name: "lanes",
            dependencies: [
                "Execution", "Graph", "Nodes", "ONNX", "Operators", "PostTraining", "Quantization", "Tensors",
            ],
            path: "Benchmarks/Lanes", swiftSettings: strict),
        .executableTarget(
            name: "gradients",
            dependencies: ["Execution", "Graph", "Nodes", "ONNX", "Operators", "PostTraining", "Tensors"],
            path: "Benchmarks/Gradients", swiftSettings: strict),
        .executableTarget(
            name: "exchange", dependencies: ["Cluster", "ClusterProtocol", "Messaging", "Tensors", "Training"],
            path: "Benchmarks/Exchange", swiftSettings: strict),

        .target(
            name: "TestSupport", dependencies: ["ONNX", "Support", "Tensors"], path: "Tests/TestSupport",
            swiftSettings: strict),
        tests("SupportTests", ["Support"]),
        tests("TensorsTests", ["Support", "Tensors"]),
        tests("ONNXTests", ["ONNX", "Support", "Tensors"]),
        tests("GraphTests", ["Graph", "Nodes", "ONNX", "Operators", "Tensors"]),
        tests(
            "ExecutionTests", ["Execution", "Graph", "Nodes", "ONNX", "Operators", "Primitives", "Support", "Tensors"]),
        tests("QuantizationTests", ["CKernels", "Quantization", "Support", "Tensors"]),
        tests("SimulationTests", ["Graph", "Nodes", "Operators", "Quantization", "Simulation", "Tensors"]),
        tests(
            "PostTrainingTests",
            ["Execution", "Graph", "Nodes", "ONNX", "Operators", "PostTraining", "Quantization", "Tensors"]),
        tests("DatasetsTests", ["Datasets", "Tensors"]),
        tests("TrainingTests", ["CKernels", "Quantization", "Support", "Tensors", "Training"]),
        tests("MessagingTests", ["Messaging", "Support", "Tensors"]),
        tests(
            "ClusterTests",
            [
                "Cluster", "ClusterProtocol", "Messaging", "Support", "Tensors",
                .product(name: "GRDB", package: "GRDB.swift"),
            ]),
        tests("ClusterSimulationTests", ["ClusterProtocol", "Messaging", "Support", "Tensors"]),
        tests(
            "PassesTests",
            [
                "App", "Cluster", "ClusterProtocol", "Datasets", "Execution", "Graph", "Nodes", "Operators", "Passes",
                "Quantization", "Simulation", "Support", "Tensors", "Training",
            ]),
        tests("JobFileTests", ["App", "JobFile", "Quantization", "Simulation", "Support", "Training"]),
        tests("ReportsTests", ["JobFile", "Reports"]),
        tests(
            "JobsTests",
            [
                "App", "Graph", "JobFile", "Jobs", "Nodes", "ONNX", "Operators", "Passes", "Quantization", "Reports",
                "Simulation", "Support", "Tensors", "Training",
            ]),
        tests(
            "AppTests",
            [
                "App", "Graph", "JobFile", "Nodes", "ONNX", "Operators", "Passes", "PostTraining", "Quantization",
                "Simulation",
                "Support", "Tensors", logging,
            ]),
        tests("ArchitectureTests", []),
        .target(
            name: "FuzzTargets",
            dependencies: [
                "Datasets", "Graph", "Messaging", "Nodes", "ONNX", "Operators", "Quantization", "Tensors",
                "TestSupport",
            ],
            path: "Tests/Fuzzing/Targets", swiftSettings: strict),
        tests("FuzzingTests", ["FuzzTargets"]),
        tests(
            "EndToEndTests", ["App", "Messaging", "ONNX", "Quantization", "Reports", "Support", "Tensors", "quantsim"]),
    ]
)

// The fuzzers are built by Tests/Fuzzing/fuzz alone, with all modules instrumented.
if Context.environment["QUANTSIM_FUZZING"] != nil {
    package.targets += [
        .systemLibrary(name: "CLibFuzzer", path: "Tests/Fuzzing/CLibFuzzer"),
        .executableTarget(
            name: "fuzz", dependencies: ["CLibFuzzer", "FuzzTargets"], path: "Tests/Fuzzing/Driver",
            swiftSettings: strict),
    ]
}
