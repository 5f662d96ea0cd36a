/// The version of this program, as `--version` and the report give it.
public enum Version {
    public static let current = "0.1.0"
}
