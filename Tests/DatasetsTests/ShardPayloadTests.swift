import Datasets
import Foundation
import Tensors
import TestSupport
import Testing

@Suite struct ShardPayloadTests {
    private static let samples = [
        Sample(key: "000001", source: "/data/a.tar", content: .image(Data([1, 2, 3])), label: 7),
        Sample(key: "größe", source: "", content: .image(Data()), label: nil),
        Sample(key: "", source: "a.npz", content: .arrays([:]), label: .min),
        Sample(
            key: "9", source: "a.npz",
            content: .arrays([
                "x": Tensor(shape: [2, 3], [1, 2, .nan, -0.0, 5, 6] as [Float]), "mask": Tensor(scalar: Int8(-1)),
                "none": Tensor(shape: [0, 1 << 40], [] as [Double]),
            ]), label: .max),
    ]

    @Test func `samples come back as they were`() throws {
        let payload = ShardPayload(samples: Self.samples)
        let data = payload.encoded()
        #expect(try ShardPayload(decoding: data) == payload)
        #expect(try ShardPayload(decoding: data).encoded() == data)
        #expect(try ShardPayload(decoding: ShardPayload(samples: []).encoded()).samples.isEmpty)
        // Data that is itself a part of other data, as a message's frame may be.
        let framed = Data([0, 0, 0]) + data + Data([0])
        #expect(try ShardPayload(decoding: framed.dropFirst(3).dropLast()) == payload)
    }

    @Test func `images are views of the payload`() throws {
        let image = Data((0..<100_000).map { UInt8(truncatingIfNeeded: $0) })
        let data = ShardPayload(samples: [Sample(key: "", source: "", content: .image(image))]).encoded()
        let payload = try ShardPayload(decoding: data)
        guard case .image(let view)? = payload.samples.first?.content else { throw DatasetError(.missingContent) }
        #expect(view == image)
        data.withUnsafeBytes { whole in
            view.withUnsafeBytes { part in
                let start = part.baseAddress.map { Int(bitPattern: $0) } ?? 0
                let first = whole.baseAddress.map { Int(bitPattern: $0) } ?? 0
                #expect((first..<first + whole.count).contains(start))
            }
        }
    }

    @Test func `truncated bytes are refused`() throws {
        let data = ShardPayload(samples: Self.samples).encoded()
        for count in 0..<data.count {
            let error = try #require(throws: DatasetError.self) { try ShardPayload(decoding: data.prefix(count)) }
            #expect(error.code == .malformedPayload && !error.isBadSample)
        }
        #expect(throws: DatasetError.self) { try ShardPayload(decoding: data + [0]) }
    }

    @Test func `garbage is refused and never traps`() throws {
        let seed: UInt64 = 29
        var random = CounterRandom(key: seed)
        let data = ShardPayload(samples: Self.samples).encoded()
        for round in 0..<3000 {
            var damaged = data
            if round % 3 == 0 {
                damaged = Data("QSSP".utf8) + [1]
                for _ in 0..<Int.random(in: 0...100, using: &random) {
                    // Small numbers and extremes are what lengths and flags are sensitive to.
                    let choices: [UInt8] = [0, 1, 2, 3, 4, 0x7F, 0x80, 0xFF, UInt8.random(in: 0...255, using: &random)]
                    damaged.append(choices[Int.random(in: 0..<choices.count, using: &random)])
                }
            } else {
                for _ in 0..<Int.random(in: 1...3, using: &random) {
                    damaged[Int.random(in: 0..<damaged.count, using: &random)] = UInt8.random(
                        in: 0...255, using: &random)
                }
            }
            do {
                _ = try ShardPayload(decoding: damaged)
            } catch {
                #expect(error.code == .malformedPayload, "seed \(seed), round \(round)")
            }
        }
    }
}
