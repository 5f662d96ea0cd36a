/// What becomes of the ranges of quantizers in training.
public enum RangeMode: String, Codable, CaseIterable, Sendable {
    /// Those of the calibration; those of weights as `WeightEncodingMode` says.
    case `static`
    /// Trained like weights, from the calibrated ones on.
    case learned
}

/// What becomes of the encodings of weights in training where ranges are static.
public enum WeightEncodingMode: String, Codable, CaseIterable, Sendable {
    /// Taken from the weights anew after every step.
    case follow
    /// Those of the weights before training.
    case frozen
}
