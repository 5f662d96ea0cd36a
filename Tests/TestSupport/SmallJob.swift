/// Job files in short.
public enum SmallJob {
    /// The least that a job is.
    public static let minimal = """
        model: m.onnx
        dataset:
          calibration: {path: data.npz}
        """
}
