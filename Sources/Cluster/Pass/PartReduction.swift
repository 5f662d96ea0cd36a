import Foundation

/// What a worker's shards of one pass contribute to the pass's reduction, in parts that are exchanged apart. The sum of a
/// part must not depend on who adds what in which order.
///
/// Lanes add to it while the exchange reads it, so it is safe to be used from any thread.
public protocol PartReduction: AnyObject, Sendable {
    /// Parts 0..<partCount, in the order in which shards complete them.
    var partCount: Int { get }

    /// Called after a shard has added its share of parts, so that whoever waits for one looks again. Set once, before the
    /// first shard; called on a lane's thread.
    func observe(_ progress: @escaping @Sendable () -> Void)

    /// Whether these shards, all of which are computed here, and no others have added their shares of the part. Where others
    /// have, the attempt is one that the coordinator has given up: they were given here since their first worker is gone.
    func isComplete(part: Int, shards: Set<Int>) -> Bool

    /// What the shards computed here have added to a complete part: for the part's owner.
    func contribution(part: Int) throws -> Data

    /// Begins the reduction of a part that this worker owns: what a former attempt has added is forgotten.
    func beginReducing(part: Int) throws

    /// Adds what another worker contributes to a part that is being reduced.
    /// - Throws: where the bytes are no contribution to this part.
    func add(_ contribution: Data, to part: Int) throws

    /// The reduced part, for all others, once it is complete here and all others have contributed. It is installed here as
    /// well.
    func reduced(part: Int) throws -> Data

    /// Takes a part over that another worker has reduced.
    /// - Throws: where the bytes are no reduced part of this number.
    func install(_ reduced: Data, part: Int) throws

    /// Every part is reduced or installed: takes the step that the pass was for. Called again for a repeated attempt, it
    /// does nothing more.
    /// - Returns: a digest of what the step has led to, equal on all workers.
    func finish() throws -> Data
}
