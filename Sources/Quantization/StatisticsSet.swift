/// What was observed of the tensors of a model, by name.
public struct StatisticsSet: Equatable, Sendable {
    public var tensors: [String: TensorStatistics]

    public init(_ tensors: [String: TensorStatistics] = [:]) {
        self.tensors = tensors
    }

    /// Adds what was observed elsewhere. Commutative and associative, exactly.
    public mutating func merge(_ other: StatisticsSet) {
        for (name, statistics) in other.tensors {
            tensors[name, default: TensorStatistics()].merge(statistics)
        }
    }
}
