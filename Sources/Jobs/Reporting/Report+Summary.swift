import Foundation

extension Report {
    /// What a user wants to know at the end, in a few lines.
    /// - Parameter folder: where the files are, as the user named it.
    public func summary(folder: String) -> String {
        func percent(_ value: Double?) -> String? { value.map { String(format: "%.2f %%", $0) } }
        func rate(_ value: Double?) -> String? { value.map { String(format: "%.0f samples/s", $0) } }
        let lines: [(String, String?)] = [
            ("FP32 accuracy", percent(accuracy.fp32)),
            ("quantized accuracy", percent(accuracy.quantized)),
            ("trained accuracy", percent(accuracy.trained)),
            ("calibration", rate(throughput.calibration)),
            ("evaluation", rate(throughput.evaluation)),
            ("training", rate(throughput.training)),
            ("encodings", digest.encodings),
            ("weights", training == nil ? nil : digest.weights),
            ("files", folder),
        ]
        return lines.compactMap { name, value in value.map { "\(name): \($0)" } }.joined(separator: "\n")
    }
}
