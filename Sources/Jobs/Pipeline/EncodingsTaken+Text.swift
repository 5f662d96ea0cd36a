import Simulation

extension EncodingsTaken {
    /// For people, before the job begins.
    var text: String {
        func list(_ names: [String], _ what: String) -> String {
            guard !names.isEmpty else { return "" }
            let shown = names.prefix(3).joined(separator: ", ")
            return ", \(names.count) \(what) (\(shown)\(names.count > 3 ? ", ..." : ""))"
        }
        return "encodings of \(name): \(taken.count) taken\(isFrozen ? " and frozen" : "")"
            + list(withoutQuantizer, "without a quantizer in the model") + list(overridden, "overridden")
    }
}
