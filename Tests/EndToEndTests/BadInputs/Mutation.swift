import Foundation
import ONNX
import Tensors

/// Draws changes of what was sound, always the same ones from a seed and a number.
struct Mutation {
    private var random: CounterRandom

    init(seed: UInt64, number: Int) {
        random = CounterRandom(key: seed, UInt64(number))
    }

    mutating func below(_ count: Int) -> Int { Int.random(in: 0..<max(count, 1), using: &random) }

    mutating func one<Element>(of elements: [Element]) -> Element { elements[below(elements.count)] }

    private static let extremes = [
        0, 1, -1, 2, 3, 7, 16, 127, 255, 65_536, 1 << 20, 1 << 31, 1 << 32, 1 << 40, Int.max, Int.min, Int.min + 1,
    ]

    // MARK: Bytes

    /// A few changes at random places.
    mutating func bytes(_ data: Data) -> Data {
        var bytes = [UInt8](data)
        for _ in 0..<1 + below(4) {
            guard !bytes.isEmpty else { break }
            let place = below(bytes.count)
            let length = min(1 + below(16), bytes.count - place)
            switch below(7) {
            case 0: bytes[place] ^= 1 << UInt8(below(8))
            case 1: bytes[place] = UInt8(below(256))
            case 2: bytes.removeSubrange(place..<place + length)
            case 3: bytes.insert(contentsOf: bytes[place..<place + length], at: place)
            case 4: bytes.removeLast(bytes.count - place)
            case 5: for index in place..<place + length { bytes[index] = one(of: [0, 0x7F, 0x80, 0xFF]) }
            default:
                withUnsafeBytes(of: one(of: Self.extremes).littleEndian) { extreme in
                    for (index, byte) in zip(place..<bytes.count, extreme) { bytes[index] = byte }
                }
            }
        }
        return Data(bytes)
    }

    // MARK: Arrays

    /// Images [40, 1, 28, 28] and their labels [40], one thing of them changed.
    mutating func arrays() -> [(String, Tensor)] {
        var images = Tensor(shape: [40, 1, 28, 28], (0..<40 * 784).map { Float($0 % 17) / 17 })
        var labels = Tensor(shape: [40], (0..<40).map { Int64($0 % 10) })
        var name = "input"
        switch below(7) {
        case 0:
            let shape = Shape(
                [[0, 1, 28, 28], [40, 0, 28, 28], [1, 28, 28], [40, 28, 28, 1], [40], [], [1]][below(7)])
            images = Tensor(shape: shape, (0..<shape.count).map { Float($0 % 17) / 17 })
        case 1: images = Tensor(shape: [40, 1, 28, 28], (0..<40 * 784).map { Int64($0 % 17) })
        case 2: name = one(of: Self.words.filter { !$0.contains("\u{0}") && !$0.contains("/") })
        case 3:
            let count = below(50)
            labels = Tensor(shape: [count], (0..<count).map { Int64($0 % 10) })
        case 4:
            let bad = (place: below(40), label: Int64(one(of: Self.extremes)))
            labels = Tensor(shape: [40], (0..<40).map { $0 == bad.place ? bad.label : Int64($0 % 10) })
        default:
            let bad = (
                place: below(40 * 784),
                value: one(of: [Float.nan, .infinity, -.infinity, 1e38, -1e38, .leastNonzeroMagnitude])
            )
            images = Tensor(
                shape: [40, 1, 28, 28], (0..<40 * 784).map { $0 == bad.place ? bad.value : Float($0 % 17) / 17 })
        }
        return [(name, images), ("labels", labels)]
    }

    // MARK: Text

    private static let words = [
        "", "-1", "0", "1", "3", "1e308", "-1e-320", "nan", ".inf", "99999999999999999999", "-0.0", "null", "~",
        "true", "[]", "{}", "\"\"", "a", "model.onnx", "../..", "/", "[[[[[[[[]]]]]]]]", "&a [*a, *a]", "!!binary x",
        "é\u{0}", "\t", "'", "\"", "{", "]", ": :", "- -", "|", "8", "16", "32", "100", "2147483648", "0x10", "1_000",
    ]

    /// Those that a text in YAML or JSON can have in place of a word.
    private static let values = [
        "-1", "0", "1", "2", "3", "5", "0.5", "1e308", "-1e-320", "1e-9", "9223372036854775807", "99999999999999999999",
        "-0.0", "null", "true", "false", "[]", "{}", "\"\"", "\"a\"", "8", "16", "31", "32", "100", "2147483648",
        "4096",
        "\"default\"", "\"tf\"", "\"images.npz\"", "[1, 2]", "[[1]]", "{\"a\": 1}",
    ]

    /// A word or a line of a text in YAML or JSON changed; once in four, its bytes.
    mutating func text(_ text: String) -> String {
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        let place = below(lines.count)
        switch below(12) {
        case 0: lines.remove(at: place)
        case 1: lines.insert(lines[below(lines.count)], at: place)
        case 2: lines[place] = String(repeating: " ", count: below(5)) + lines[place]
        case 3: lines[place] = String(decoding: bytes(Data(lines[place].utf8)), as: UTF8.self)
        case 4: lines[place] = word(in: lines[place], Self.words)
        default:
            for _ in 0..<1 + below(2) {
                let place = below(lines.count)
                lines[place] = word(in: lines[place], Self.values)
            }
        }
        return lines.joined(separator: "\n")
    }

    /// One word of a line replaced: a run of letters, digits and signs, one that is no key if there is one.
    private mutating func word(in line: String, _ words: [String]) -> String {
        let isWord = { (character: Character) in
            character.isLetter || character.isNumber || "._-+/".contains(character)
        }
        var parts: [String] = []
        var wasWord: Bool?
        for character in line {
            if wasWord == isWord(character), !parts.isEmpty {
                parts[parts.count - 1].append(character)
            } else {
                parts.append(String(character))
            }
            wasWord = isWord(character)
        }
        let places = parts.indices.filter { parts[$0].first.map(isWord) == true }
        let values = places.filter { $0 + 1 == parts.count || !parts[$0 + 1].hasPrefix(":") }
        guard !places.isEmpty else { return line + one(of: words) }
        parts[one(of: values.isEmpty || below(8) == 0 ? places : values)] = one(of: words)
        return parts.joined()
    }

    /// One value anywhere in a JSON document changed, taken out, or moved.
    mutating func json(_ document: Data) throws -> Data {
        let sound = try JSONSerialization.jsonObject(with: document)
        return try JSONSerialization.data(
            withJSONObject: changed(sound), options: [.fragmentsAllowed, .sortedKeys, .withoutEscapingSlashes])
    }

    private mutating func changed(_ value: Any) -> Any {
        switch value {
        case var object as [String: Any] where !object.isEmpty && below(10) > 0:
            let key = one(of: object.keys.sorted())
            switch below(12) {
            case 0: object[key] = nil
            case 1: object[one(of: object.keys.sorted())] = object[key]
            default: object[key] = changed(object[key] ?? NSNull())
            }
            return object
        case var list as [Any] where !list.isEmpty && below(10) > 0:
            let place = below(list.count)
            switch below(12) {
            case 0: list.remove(at: place)
            case 1: list.append(list[place])
            default: list[place] = changed(list[place])
            }
            return list
        default:
            let anything: [Any] = [
                NSNull(), true, false, "", "a", "INT", "FLOAT", "PER_CHANNEL", "True", [Any](), [String: Any](),
                [1, 2],
                ["a": 1], 0.5, -0.0, 1e308, Double.leastNonzeroMagnitude, 8, 16, 31, 32, 64, Int.max, Int.min, -1, 0, 1,
                127, 255, 256,
            ]
            return one(of: anything)
        }
    }

    // MARK: Models

    /// A part or two of a model changed, as exporters and people never would.
    mutating func model(_ sound: ONNXModelProto) -> ONNXModelProto {
        var model = sound
        for _ in 0..<1 + below(2) { change(&model.graph) }
        if below(24) == 0 {
            for index in model.opsetImport.indices { model.opsetImport[index].version = Int64(one(of: Self.extremes)) }
        }
        return model
    }

    private mutating func change(_ graph: inout ONNXGraphProto) {
        switch below(4) {
        case 0 where !graph.initializer.isEmpty: change(&graph.initializer[below(graph.initializer.count)])
        case 1 where !graph.input.isEmpty: change(&graph.input[below(graph.input.count)])
        case 2 where below(3) == 0: changeStructure(&graph)
        default:
            guard !graph.node.isEmpty else { return }
            let operators = graph.node.map(\.opType) + ["Concat", "Reshape", "Slice", "Transpose", "MatMul", "Conv"]
            change(&graph.node[below(graph.node.count)], values(graph), operators)
        }
    }

    private func values(_ graph: ONNXGraphProto) -> [String] {
        [""] + graph.input.map(\.name) + graph.initializer.map(\.name) + graph.node.flatMap(\.output)
    }

    private mutating func changeStructure(_ graph: inout ONNXGraphProto) {
        switch below(6) {
        case 0 where !graph.node.isEmpty: graph.node.remove(at: below(graph.node.count))
        case 1 where !graph.node.isEmpty: graph.node.append(one(of: graph.node))
        case 2: graph.node.shuffle(using: &random)
        case 3 where !graph.output.isEmpty: graph.output[0].name = one(of: values(graph))
        case 4 where !graph.initializer.isEmpty: graph.initializer.remove(at: below(graph.initializer.count))
        default: graph.output.append(contentsOf: graph.output)
        }
    }

    private mutating func change(_ node: inout ONNXNodeProto, _ values: [String], _ operators: [String]) {
        switch below(7) {
        case 0 where !node.input.isEmpty: node.input[below(node.input.count)] = one(of: values)
        case 1: node.input.append(one(of: values))
        case 2 where !node.input.isEmpty: node.input.removeLast()
        case 3: node.opType = one(of: operators)
        case 4 where !node.output.isEmpty: node.output[0] = one(of: values)
        default:
            guard !node.attribute.isEmpty else {
                var attribute = ONNXAttributeProto()
                attribute.name = one(of: [
                    "axis", "axes", "perm", "pads", "strides", "group", "kernel_shape", "to", "keepdims",
                ])
                attribute.type = one(of: [.int, .ints])
                attribute.i = Int64(one(of: Self.extremes))
                attribute.ints = (0..<below(5)).map { _ in Int64(one(of: Self.extremes)) }
                return node.attribute.append(attribute)
            }
            change(&node.attribute[below(node.attribute.count)])
        }
    }

    private mutating func change(_ attribute: inout ONNXAttributeProto) {
        switch below(7) {
        case 0: attribute.i = Int64(one(of: Self.extremes))
        case 1 where !attribute.ints.isEmpty:
            attribute.ints[below(attribute.ints.count)] = Int64(one(of: Self.extremes))
        case 2: attribute.ints.append(Int64(one(of: Self.extremes)))
        case 3 where !attribute.ints.isEmpty: attribute.ints.removeLast()
        case 4: attribute.f = one(of: [.nan, .infinity, -1, 0, .leastNonzeroMagnitude, .greatestFiniteMagnitude])
        case 5: attribute.type = one(of: [.int, .ints, .float, .floats, .string, .tensor, .graph])
        default: attribute.s = Data(one(of: Self.words).utf8)
        }
    }

    private mutating func change(_ tensor: inout ONNXTensorProto) {
        switch below(6) {
        case 0 where !tensor.dims.isEmpty: tensor.dims[below(tensor.dims.count)] = Int64(one(of: Self.extremes))
        case 1: tensor.dims.append(Int64(one(of: Self.extremes)))
        case 2 where !tensor.dims.isEmpty: tensor.dims.removeLast()
        case 3: tensor.dataType = Int32(below(24))
        case 4: tensor.rawData = bytes(tensor.rawData)
        default:
            // Numbers of the right size but without sense: extents, axes and starts among them.
            let size = tensor.dataType == 7 ? 8 : 4
            guard tensor.rawData.count >= size else { return }
            let place = below(tensor.rawData.count / size) * size
            let number = one(of: Self.extremes)
            withUnsafeBytes(of: number.littleEndian) {
                tensor.rawData.replaceSubrange(
                    tensor.rawData.startIndex + place..<tensor.rawData.startIndex + place + size, with: $0.prefix(size))
            }
        }
    }

    private mutating func change(_ input: inout ONNXValueInfoProto) {
        let count = input.type.tensorType.shape.dim.count
        switch below(4) {
        case 0 where count > 0:
            input.type.tensorType.shape.dim[below(count)].dimValue = Int64(one(of: Self.extremes))
        case 1 where count > 0: input.type.tensorType.shape.dim.removeLast()
        case 2: input.type.tensorType.elemType = Int32(below(20))
        default: input.name = one(of: Self.words)
        }
    }
}
