/// What the job file format knows and this version of the program cannot do yet. A feature that lands deletes its lines.
extension JobFile {
    /// - Throws: `JobError(.unsupported)` at the first such key of the file, listing all of them.
    func checkSupported() throws {
        var features: [(key: String, name: String)] = []
        for (index, stage) in postTraining.enumerated() where stage != .foldBatchNorms {
            features.append(("post_training[\(index)]", "post_training: \(stage.rawValue)"))
        }
        features.sort { (lines[$0.key] ?? 0, $0.key) < (lines[$1.key] ?? 0, $1.key) }
        if let first = features.first {
            throw error(.unsupported, key: first.key, found: features.map(\.name).joined(separator: ", "))
        }
    }
}
