import Foundation
import Quantization
import Testing

@Suite struct EncodingsFileTests {
    static let file = EncodingsFile(
        activations: [
            "/relu \"1\"": TensorEncodings(.fromRange(min: 0, max: 6, bitwidth: 8, symmetric: false)),
            "input": TensorEncodings(.fromRange(min: -1.5, max: 2, bitwidth: 16, symmetric: false)),
        ],
        parameters: [
            "conv.weight": TensorEncodings(
                encodings: [0.1, 2, 1e-12].map {
                    .fromRange(min: -$0, max: $0 / 2, bitwidth: 4, symmetric: true)
                }, axis: 0),
            "fc.weight": TensorEncodings(
                .fromRange(min: -1, max: 1, bitwidth: 8, symmetric: true, strict: true)),
        ],
        quantizerArguments: .init(
            activationBitwidth: 8, parameterBitwidth: 4, isSymmetric: true, perChannelQuantization: true,
            scheme: "min_max"))

    /// What a file does not carry: the channel axis.
    static func withoutAxes(_ file: EncodingsFile) -> EncodingsFile {
        var file = file
        file.parameters = file.parameters.mapValues { TensorEncodings(encodings: $0.encodings) }
        return file
    }

    @Test(arguments: EncodingsFile.Version.allCases) func readingGivesWhatWasWritten(
        version: EncodingsFile.Version
    ) throws {
        let data = Self.file.write(version: version)
        let read = try EncodingsFile.read(data, file: "x")
        #expect(read == Self.withoutAxes(Self.file))
        // Several channels stay several, so that the second file is the first.
        #expect(read.write(version: version) == data)
    }

    @Test func layoutOfBothVersions() throws {
        let small = EncodingsFile(
            activations: ["b": TensorEncodings(.fromRange(min: 0, max: 0.5, bitwidth: 8, symmetric: false))],
            parameters: [
                "w": TensorEncodings(encodings: [.fromRange(min: -2, max: 1, bitwidth: 8, symmetric: true)], axis: 0)
            ],
            producer: .init(package: "quantsim", version: "1"))
        #expect(
            String(decoding: small.write(version: .v0_6_1), as: UTF8.self) == """
                {
                    "activation_encodings": {
                        "b": [
                            {
                                "bitwidth": 8,
                                "dtype": "int",
                                "is_symmetric": "False",
                                "max": 0.5000000295694917,
                                "min": 0.0,
                                "offset": 0.0,
                                "scale": 0.0019607844296842813
                            }
                        ]
                    },
                    "param_encodings": {
                        "w": [
                            {
                                "bitwidth": 8,
                                "dtype": "int",
                                "is_symmetric": "True",
                                "max": 1.984375,
                                "min": -2.0,
                                "offset": -128.0,
                                "scale": 0.015625
                            }
                        ]
                    },
                    "producer": {
                        "package": "quantsim",
                        "version": "1"
                    },
                    "version": "0.6.1"
                }

                """)
        #expect(
            String(decoding: small.write(version: .v1_0_0), as: UTF8.self) == """
                {
                    "activation_encodings": [
                        {
                            "bw": 8,
                            "dtype": "INT",
                            "enc_type": "PER_TENSOR",
                            "is_sym": false,
                            "name": "b",
                            "offset": [
                                0.0
                            ],
                            "scale": [
                                0.0019607844296842813
                            ]
                        }
                    ],
                    "param_encodings": [
                        {
                            "bw": 8,
                            "dtype": "INT",
                            "enc_type": "PER_CHANNEL",
                            "is_sym": true,
                            "name": "w",
                            "offset": [
                                -128.0
                            ],
                            "scale": [
                                0.015625
                            ]
                        }
                    ],
                    "producer": {
                        "package": "quantsim",
                        "version": "1"
                    },
                    "version": "1.0.0"
                }

                """)
    }

    /// What is wrong with a file, and where.
    static let bad: [(text: String, code: QuantizationError.Code, key: String?)] = [
        ("{", .malformed, nil),
        ("[]", .invalidValue, ""),
        ("{}", .missingKey, "version"),
        (#"{"version": "9"}"#, .unsupportedVersion, "version"),
        (#"{"version": "1.0.0", "activation_encodings": {}}"#, .invalidValue, "activation_encodings"),
        (entry(#""bw": 8.5"#), .invalidValue, "activation_encodings[0].bw"),
        (entry(#""dtype": "FLOAT""#), .unsupportedEncoding, "activation_encodings[0].dtype"),
        (entry(#""enc_type": "LPBQ""#), .unsupportedEncoding, "activation_encodings[0].enc_type"),
        (entry(#""is_sym": 1"#), .invalidValue, "activation_encodings[0].is_sym"),
        (entry(#""scale": [0]"#), .invalidValue, "activation_encodings[0].scale[0]"),
        (entry(#""scale": [1e-60]"#), .invalidValue, "activation_encodings[0].scale[0]"),
        (entry(#""scale": []"#), .lengthMismatch, "activation_encodings[0].scale"),
        (entry(#""scale": [1, 2]"#), .lengthMismatch, "activation_encodings[0].scale"),
        (entry(#""offset": [1, 2]"#), .lengthMismatch, "activation_encodings[0].offset"),
        (entry(#""offset": [-256]"#), .invalidValue, "activation_encodings[0].offset[0]"),
        (entry(#""offset": [1e300]"#), .invalidValue, "activation_encodings[0].offset[0]"),
        (entry(#""name": null"#), .invalidValue, "activation_encodings[0].name"),
        (channel(#""max": 1e9"#), .invalidValue, "activation_encodings.t[0].scale"),
        (channel(#""scale": "1""#), .invalidValue, "activation_encodings.t[0].scale"),
        (channel(#""bitwidth": 0"#), .invalidValue, "activation_encodings.t[0].bitwidth"),
        (channel(#""is_symmetric": "Maybe""#), .invalidValue, "activation_encodings.t[0].is_symmetric"),
    ]

    /// A file of version 1.0.0 whose only entry has one member replaced.
    static func entry(_ change: String) -> String {
        let base =
            #""name": "t", "bw": 8, "dtype": "INT", "enc_type": "PER_TENSOR", "is_sym": false, "#
            + #""scale": [1], "offset": [0]"#
        return #"{"version": "1.0.0", "param_encodings": [], "activation_encodings": [{\#(replaced(base, change))}]}"#
    }

    static func channel(_ change: String) -> String {
        let base =
            #""bitwidth": 8, "dtype": "int", "is_symmetric": "False", "min": 0, "max": 255, "scale": 1, "offset": 0"#
        return
            #"{"version": "0.6.1", "param_encodings": {}, "activation_encodings": {"t": [{\#(replaced(base, change))}]}}"#
    }

    private static func replaced(_ base: String, _ change: String) -> String {
        let key = change.prefix { $0 != ":" }
        return base.split(separator: #/, (?=")/#).map { $0.hasPrefix(key + ":") ? change : String($0) }
            .joined(separator: ", ")
    }

    @Test(arguments: bad.indices) func whatIsWrongIsNamed(index: Int) throws {
        let item = Self.bad[index]
        let error = #expect(throws: QuantizationError.self) {
            try EncodingsFile.read(Data(item.text.utf8), file: "m.encodings")
        }
        #expect(error?.code == item.code && error?.key == item.key, "\(item.text): \(String(describing: error))")
        #expect(error?.file == "m.encodings")
    }

    @Test func theReplacementsAboveStartFromGoodFiles() throws {
        for text in [Self.entry(#""bw": 8"#), Self.channel(#""bitwidth": 8"#)] {
            let file = try EncodingsFile.read(Data(text.utf8), file: "x")
            #expect(
                file.activations["t"]?.encodings == [
                    Encoding(bitwidth: 8, min: 0, max: 255, delta: 1, offset: 0, symmetric: false)
                ])
        }
    }

    @Test func garbageNeverTraps() {
        let text = [UInt8](Self.file.write(version: .v1_0_0))
        var state: UInt64 = 1
        for _ in 0..<300 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            var bytes = text
            bytes[Int(state >> 33) % bytes.count] = UInt8(truncatingIfNeeded: state >> 20)
            _ = try? EncodingsFile.read(Data(bytes), file: "x")
        }
    }
}
