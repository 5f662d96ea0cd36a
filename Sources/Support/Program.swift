/// What this program says of itself.
public enum Program {
    /// As `--version`, the report and the encodings files give it.
    public static let version = "0.1.0"
}
