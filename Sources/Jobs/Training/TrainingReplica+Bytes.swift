import Foundation
import Support
import Training

// The state as bytes, all numbers little-endian: steps taken: UInt64, values, the optimizer's vectors: float32.
extension TrainingReplica {
    /// Bytes of `encoded`.
    package static func size(of plan: ReplicaPlan) throws -> Int {
        8 + 4 * (try plan.stateLayout().count) * (1 + plan.optimizer.stateNames.count)
    }

    /// The whole state.
    package func encoded() -> Data {
        var data = Data(capacity: 8 + 4 * values.count * (1 + plan.optimizer.stateNames.count))
        data.append(ByteWriter(counts: [optimizer.stepCount]).data)
        for vector in [values] + optimizer.state.map(\.vector) {
            vector.withUnsafeBytes { data.append(contentsOf: $0) }
        }
        return data
    }

    /// - Throws: `TrainingError(.lengthMismatch)` where the bytes are not a state of this plan.
    package init(_ plan: ReplicaPlan, decoding data: Data) throws {
        let layout = try plan.stateLayout()
        let size = try Self.size(of: plan)
        guard data.count == size else {
            throw TrainingError(.lengthMismatch, key: "state", expected: "\(size) bytes", found: "\(data.count)")
        }
        var reader = ByteReader(data, record: "state")
        let steps = try reader.take(UInt64.self)
        let vectors = (0...plan.optimizer.stateNames.count).map { index in
            [Float](unsafeUninitializedCapacity: layout.count) { buffer, initialized in
                let start = data.startIndex + 8 + index * 4 * layout.count
                _ = data.copyBytes(
                    to: UnsafeMutableRawBufferPointer(buffer), from: start..<start + 4 * layout.count)
                initialized = layout.count
            }
        }
        let optimizer = try Optimizer(
            plan.optimizer, count: layout.count, stepCount: Int(clamping: steps),
            state: Dictionary(uniqueKeysWithValues: zip(plan.optimizer.stateNames, vectors.dropFirst())))
        try self.init(plan, layout, values: vectors[0], optimizer: optimizer)
    }

    /// 32 bytes: equal for equal states.
    package var digest: Data {
        var digest = StateDigest()
        digest.add(optimizer.stepCount)
        digest.add(values)
        for (_, vector) in optimizer.state { digest.add(vector) }
        return digest.finish()
    }
}
