import CKernels

/// How a thread's floating-point arithmetic rounds.
public enum FloatEnvironment {
    /// Makes this thread, and those that it will make, round to nearest and keep denormals, as all threads should: a library
    /// that was built for speed may have changed that where it was loaded.
    public static func setDefault() { qs_default_float_environment() }
}
