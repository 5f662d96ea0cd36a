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

    /// What a file before version 2.0.0 does not carry: the channel axis.
    static func withoutAxes(_ file: EncodingsFile) -> EncodingsFile {
        var file = file
        file.parameters = file.parameters.mapValues { TensorEncodings(encodings: $0.encodings) }
        return file
    }

    @Test(arguments: EncodingsFile.Version.allCases) func readingGivesWhatWasWritten(
        version: EncodingsFile.Version
    ) throws {
        let data = try Self.file.write(version: version)
        let read = try EncodingsFile.read(data, file: "x")
        if version == .v2_0_0 {
            let all = Self.file.activations.merging(Self.file.parameters) { $1 }
            #expect(read == EncodingsFile(activations: [:], parameters: [:], tensors: all))
        } else {
            #expect(read == Self.withoutAxes(Self.file))
        }
        // Several channels stay several, so that the second file is the first.
        #expect(try read.write(version: version) == data)
    }

    /// Blocks of a convolution and of a matrix [input, output], and half precision, as aimet-onnx 2.42 writes them.
    @Test func blocksAndHalfPrecision() throws {
        func grid(_ delta: Double) -> Encoding {
            Encoding(bitwidth: 4, delta: delta, offset: -8, steps: 15, symmetric: true)
        }
        let file = EncodingsFile(
            activations: ["half": .float16],
            parameters: [
                "conv": TensorEncodings(
                    encodings: [1, 2, 3, 4].map(grid), axis: 0, blocks: .init(axis: 1, size: 8),
                    blockGrids: [2, 2, 1, 1]),
                "matrix": TensorEncodings(
                    encodings: [1, 2, 3, 4, 5, 6].map(grid), axis: 1, blocks: .init(axis: 0, size: 8),
                    blockGrids: [2, 3]),
            ])
        let first = try EncodingsFile.read(file.write(version: .v1_0_0), file: "f")
        #expect(first.activations == ["half": .float16])
        // [channel, block], whatever the order of the axes.
        #expect(first.parameters["conv"]?.encodings.map(\.delta) == [1, 2, 3, 4])
        #expect(first.parameters["matrix"]?.encodings.map(\.delta) == [1, 4, 2, 5, 3, 6])
        #expect(first.parameters["matrix"]?.blocks == .init(axis: nil, size: 8))
        #expect(first.parameters["matrix"]?.blockGrids == [6])

        let text = try String(decoding: file.write(version: .v2_0_0), as: UTF8.self).filter { !$0.isWhitespace }
        #expect(
            text.contains(
                #""axis":1,"block_size":8,"name":"conv","output_dtype":"int4","y_scale":[[[[1.0]],[[2.0]]],[[[3.0]],[[4.0]]]]"#
            ),
            "\(text)")
        let second = try EncodingsFile.read(file.write(version: .v2_0_0), file: "f")
        #expect(second.tensors["matrix"]?.blocks == .init(axis: 0, size: 8))
        #expect(second.tensors["matrix"]?.blockGrids == [2, 3])
        #expect(second.tensors["matrix"]?.encodings.map(\.delta) == [1, 2, 3, 4, 5, 6])
        #expect(second.tensors["half"] == nil)

        let error = #expect(throws: QuantizationError.self) { try file.write(version: .v0_6_1) }
        #expect(error?.code == .unsupportedEncoding && error?.key == "conv")
        let oldest = EncodingsFile(activations: ["half": .float16], parameters: [:])
        #expect(try EncodingsFile.read(oldest.write(version: .v0_6_1), file: "f").activations == ["half": .float16])
    }

    @Test func layoutOfBothVersions() throws {
        let small = EncodingsFile(
            activations: ["b": TensorEncodings(.fromRange(min: 0, max: 0.5, bitwidth: 8, symmetric: false))],
            parameters: [
                "w": TensorEncodings(encodings: [.fromRange(min: -2, max: 1, bitwidth: 8, symmetric: true)], axis: 0)
            ],
            producer: .init(package: "quantsim", version: "1"))
        #expect(
            try String(decoding: small.write(version: .v0_6_1), as: UTF8.self) == """
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
            try String(decoding: small.write(version: .v1_0_0), as: UTF8.self) == """
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

    @Test func layoutOfVersion2() throws {
        let small = EncodingsFile(
            activations: [
                "b": TensorEncodings(.fromRange(min: 0, max: 0.5, bitwidth: 8, symmetric: false)),
                "a": TensorEncodings(.fromRange(min: -1, max: 2, bitwidth: 16, symmetric: false)),
                "s": TensorEncodings(.fromRange(min: -1, max: 2, bitwidth: 8, symmetric: true, strict: true)),
            ],
            parameters: [
                "w": TensorEncodings(encodings: [.fromRange(min: -2, max: 1, bitwidth: 4, symmetric: true)], axis: 1)
            ],
            quantizerArguments: Self.file.quantizerArguments, producer: .init(package: "quantsim", version: "1"))
        #expect(
            try String(decoding: small.write(version: .v2_0_0), as: UTF8.self) == """
                {
                    "encodings": [
                        {
                            "name": "a",
                            "output_dtype": "uint16",
                            "y_scale": 4.577706567943096e-05,
                            "y_zero_point": 21845
                        },
                        {
                            "name": "b",
                            "output_dtype": "uint8",
                            "y_scale": 0.0019607844296842813
                        },
                        {
                            "name": "s",
                            "output_dtype": "int8",
                            "y_scale": 0.015748031437397003,
                            "y_zero_point": -1
                        },
                        {
                            "axis": 1,
                            "name": "w",
                            "output_dtype": "int4",
                            "y_scale": [
                                0.25
                            ]
                        }
                    ],
                    "producer": {
                        "package": "quantsim",
                        "version": "1"
                    },
                    "version": "2.0.0"
                }

                """)
    }

    /// As aimet-onnx 2.42 exports them.
    @Test func entriesOfVersion2() throws {
        func tensors(_ entries: String) throws -> [String: TensorEncodings] {
            try EncodingsFile.read(
                Data(
                    #"{"version": "2.0.0", "encodings": [\#(entries)], "producer": {"package": "aimet-onnx", "version": "2"}}"#
                        .utf8),
                file: "x"
            ).tensors
        }
        let found = try tensors(
            #"""
            {"name": "w", "output_dtype": "int8", "axis": -1, "y_scale": [0.5, 0.25]},
            {"name": "b", "output_dtype": "int32", "axis": 0, "y_scale": [1e-60, 0.25]},
            {"name": "x", "output_dtype": "uint8", "y_scale": 0.02095, "y_zero_point": 123},
            {"name": "six", "output_dtype": "uint6", "y_scale": 0.5, "block_size": null},
            {"name": "moved", "output_dtype": "int16", "y_scale": 0.5, "y_zero_point": -32768}
            """#)
        func grid(_ bitwidth: Int, _ delta: Double, _ offset: Int, _ symmetric: Bool) -> Encoding {
            Encoding(
                bitwidth: bitwidth, delta: delta, offset: offset, steps: (1 << bitwidth) - 1, symmetric: symmetric)
        }
        #expect(
            found == [
                "w": TensorEncodings(encodings: [grid(8, 0.5, -128, true), grid(8, 0.25, -128, true)], axis: -1),
                "x": TensorEncodings(grid(8, 0.02095, -123, false)), "six": TensorEncodings(grid(6, 0.5, 0, false)),
                "moved": TensorEncodings(grid(16, 0.5, 0, true)),
            ])
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
        (#"{"version": "2.0.0", "activation_encodings": []}"#, .missingKey, "encodings"),
        (tensor(#""output_dtype": "float16""#), .unsupportedEncoding, "encodings[0].output_dtype"),
        (tensor(#""output_dtype": "int1""#), .unsupportedEncoding, "encodings[0].output_dtype"),
        (tensor(#""output_dtype": "int8x""#), .unsupportedEncoding, "encodings[0].output_dtype"),
        (tensor(#""output_dtype": 8"#), .invalidValue, "encodings[0].output_dtype"),
        (tensor(#""block_size": 8"#), .unsupportedEncoding, "encodings[0].y_scale"),
        (tensor(#""block_size": 0"#), .invalidValue, "encodings[0].block_size"),
        (tensor(#""y_scale": [[1]]"#), .unsupportedEncoding, "encodings[0].y_scale"),
        (tensor(#""y_scale": [[1], [1, 2]]"#), .lengthMismatch, "encodings[0].y_scale[1]"),
        (tensor(#""y_scale": [1, [2]]"#), .lengthMismatch, "encodings[0].y_scale[1]"),
        (entry(#""enc_type": "PER_BLOCK""#), .missingKey, "activation_encodings[0].block_size"),
        (tensor(#""y_scale": []"#), .lengthMismatch, "encodings[0].y_scale"),
        (tensor(#""y_scale": [1, 2]"#), .lengthMismatch, "encodings[0].y_zero_point"),
        (tensor(#""y_scale": 0"#), .invalidValue, "encodings[0].y_scale"),
        (tensor(#""y_zero_point": 256"#), .invalidValue, "encodings[0].y_zero_point"),
        (tensor(#""y_zero_point": -1"#), .invalidValue, "encodings[0].y_zero_point"),
        (tensor(#""y_zero_point": 0.5"#), .invalidValue, "encodings[0].y_zero_point"),
        (tensor(#""axis": 0.5"#), .invalidValue, "encodings[0].axis"),
        (
            #"{"version": "2.0.0", "encodings": [{"name": "t", "output_dtype": "int8", "y_scale": [1, 2]}]}"#,
            .missingKey, "encodings[0].axis"
        ),
        (channel(#""max": 1e9"#), .invalidValue, "activation_encodings.t[0].scale"),
        // What contradicts itself: the least value is scale times offset, and zero is a value of the grid.
        (channel(#""min": -0.0"#, #""offset": -100"#), .invalidValue, "activation_encodings.t[0].min"),
        (channel(#""min": -100"#, #""offset": -100"#, #""max": -50"#), .invalidValue, "activation_encodings.t[0].min"),
        (
            #"{"version": "0.6.1", "activation_encodings": {"t": [{"bitwidth": 8, "is_symmetric": "False", "min": 0, "max": 255, "scale": 1, "offset": 0}]}, "param_encodings": {}}"#,
            .missingKey, "activation_encodings.t[0].dtype"
        ),
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

    /// A file of version 2.0.0.
    static func tensor(_ change: String) -> String {
        let base =
            #""name": "t", "output_dtype": "uint8", "y_scale": 1, "y_zero_point": 0, "axis": 0, "block_size": null"#
        return #"{"version": "2.0.0", "encodings": [{\#(replaced(base, change))}]}"#
    }

    static func channel(_ changes: String...) -> String {
        let base =
            #""bitwidth": 8, "dtype": "int", "is_symmetric": "False", "min": 0, "max": 255, "scale": 1, "offset": 0"#
        return
            #"{"version": "0.6.1", "param_encodings": {}, "activation_encodings": {"t": [{\#(changes.reduce(base, replaced))}]}}"#
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
        for text in [Self.entry(#""bw": 8"#), Self.channel(#""bitwidth": 8"#), Self.tensor(#""y_scale": 1"#)] {
            let file = try EncodingsFile.read(Data(text.utf8), file: "x")
            #expect(
                (file.activations["t"] ?? file.tensors["t"])?.encodings == [
                    Encoding(bitwidth: 8, min: 0, max: 255, delta: 1, offset: 0, symmetric: false)
                ])
        }
    }

    @Test(arguments: EncodingsFile.Version.allCases) func garbageNeverTraps(version: EncodingsFile.Version) throws {
        let text = try [UInt8](Self.file.write(version: version))
        var state: UInt64 = 1
        for _ in 0..<300 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            var bytes = text
            bytes[Int(state >> 33) % bytes.count] = UInt8(truncatingIfNeeded: state >> 20)
            _ = try? EncodingsFile.read(Data(bytes), file: "x")
        }
    }
}
