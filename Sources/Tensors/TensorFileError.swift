/// What is wrong with an `.npy` or `.npz` file.
public struct TensorFileError: Error, Equatable, Sendable {
    /// What is wrong with the file.
    public enum Code: String, Sendable {
        /// The file cannot be opened or read; `found` is the system's reason.
        case cannotOpen
        /// The file cannot be written; `found` is the system's reason.
        case cannotWrite
        /// The bytes do not begin as an `.npy` file does.
        case notNPY
        /// A version of the `.npy` format other than 1, 2 and 3.
        case unsupportedVersion
        /// The header is not a dictionary with `descr`, `fortran_order` and `shape` of the right kinds.
        case malformedHeader
        /// An element type that tensors do not have; `found` is numpy's description of it.
        case unsupportedElementType
        /// Fewer bytes than the header asks for.
        case truncated
        /// More bytes than the header asks for.
        case trailingBytes
        /// The file is not a ZIP archive; `found` is libzip's reason.
        case notZIP
        /// A member that is encrypted, or neither stored nor deflated.
        case unsupportedCompression
        /// A member's compressed bytes or checksum are wrong; `found` is libzip's reason.
        case corruptMember
        /// An archive without any `.npy` member.
        case noArrays
        /// Two arrays of one name.
        case duplicateName
        /// An array without axes where samples are expected along axis 0.
        case noSampleAxis
        /// Arrays with different extents of axis 0, which should be the number of samples of all.
        case differentSampleCounts
        /// A column-major (`fortran_order`) array of rank 2 or more cannot be read a sample at a time.
        case columnMajorSamples
        /// Members that would take more memory than the caller allows.
        case tooLarge
    }

    /// What is wrong.
    public var code: Code
    /// The file's path; empty when the bytes did not come from a file.
    public var file: String
    /// The array, or the member, of an `.npz` file; empty when it does not matter.
    public var member: String
    /// What the format wants; empty when it does not matter.
    public var expected: String
    /// What is there, or the system's reason; empty when it does not matter.
    public var found: String

    public init(_ code: Code, file: String = "", member: String = "", expected: String = "", found: String = "") {
        self.code = code
        self.file = file
        self.member = member
        self.expected = expected
        self.found = found
    }

    /// The same error with the place it arose in.
    func at(file: String, member: String) -> TensorFileError {
        var error = self
        error.file = file
        error.member = member
        return error
    }
}
