/// Which samples belong to which slot of which step.
///
/// A step takes a global batch: the next `globalBatch` positions of the epoch's order, cut into `slots` slots of
/// `microBatch` consecutive positions each. An epoch has as many steps as whole batches fit; the samples at its last
/// positions, fewer than a batch, are left out of it (in every epoch others, as orders differ). Nothing here knows of
/// workers.
public struct BatchComposer: Equatable, Sendable {
    /// Samples of an epoch.
    public let sampleCount: Int
    /// Samples of a step.
    public let globalBatch: Int
    /// Parts of a global batch whose gradients are computed apart.
    public let slots: Int

    /// - Throws: `TrainingError(.invalidSetting)`: `slots` that do not divide the global batch, or a global batch of more
    ///   samples than there are.
    public init(sampleCount: Int, globalBatch: Int, slots: Int) throws(TrainingError) {
        guard slots > 0, globalBatch > 0, globalBatch.isMultiple(of: slots) else {
            throw TrainingError(
                .invalidSetting, key: "slots", expected: "a divisor of global_batch (\(globalBatch))",
                found: "\(slots)")
        }
        guard globalBatch <= sampleCount else {
            throw TrainingError(
                .invalidSetting, key: "global_batch", expected: "at most the \(sampleCount) samples of an epoch",
                found: "\(globalBatch)")
        }
        self.sampleCount = sampleCount
        self.globalBatch = globalBatch
        self.slots = slots
    }

    /// Samples of a slot.
    public var microBatch: Int { globalBatch / slots }

    /// Steps of an epoch, at least one.
    public var stepsPerEpoch: Int { sampleCount / globalBatch }

    /// Samples that each epoch leaves out.
    public var droppedPerEpoch: Int { sampleCount % globalBatch }

    /// The epoch of a step, both from 0.
    public func epoch(ofStep step: Int) -> Int { step / stepsPerEpoch }

    /// The positions, in the order of the step's epoch, of a slot's samples.
    /// - Parameters:
    ///   - step: from 0, counted through all epochs.
    ///   - slot: in `0..<slots`
    public func positions(step: Int, slot: Int) -> Range<Int> {
        precondition(step >= 0 && (0..<slots).contains(slot), "slot \(slot) of \(slots) in step \(step)")
        let start = step % stepsPerEpoch * globalBatch + slot * microBatch
        return start..<start + microBatch
    }
}
