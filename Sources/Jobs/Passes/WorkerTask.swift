import Foundation

/// What a pass asks of workers, as its descriptor says it.
package enum WorkerTask: Codable, Equatable, Sendable {
    case pass(PassSpecification)
    /// An optimizer step, whose shards are its slots.
    case step(TrainingStep)
    /// The state of a training, whose shards are stretches of its bytes.
    case state(digest: Data)

    package func encoded() throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        return try encoder.encode(self)
    }

    package init(decoding data: Data) throws {
        self = try JSONDecoder().decode(WorkerTask.self, from: data)
    }
}
