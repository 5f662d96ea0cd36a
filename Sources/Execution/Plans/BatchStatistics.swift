/// What a batch normalization of a `TrainingPlan` has found in its input. Valid while the plan shows it.
public struct BatchStatistics {
    /// The normalization's output, which names it.
    public let output: String
    /// [channels]
    public let mean: UnsafeBufferPointer<Float>
    /// [channels], over all values: what the values are normalized with.
    public let variance: UnsafeBufferPointer<Float>
    /// Values that each mean and variance is taken over: samples times positions. At least two.
    public let valuesPerChannel: Int

    /// What one multiplies the variance by to get the estimate for the population, as PyTorch's running variance takes it.
    public var unbiasing: Double { Double(valuesPerChannel) / Double(valuesPerChannel - 1) }
}
