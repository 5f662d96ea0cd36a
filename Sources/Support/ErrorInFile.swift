/// An error together with the file that was worked on when it happened.
public struct ErrorInFile: Error {
    /// Its path, as it was given.
    public var file: String
    /// What happened.
    public var underlying: any Error

    public init(_ underlying: any Error, file: String) {
        self.file = file
        self.underlying = underlying
    }
}

/// Runs `body`; its errors then name `file`, unless they name another one themselves.
public func attributingErrors<Result>(to file: String, _ body: () throws -> Result) throws -> Result {
    do {
        return try body()
    } catch {
        throw ErrorInFile(error, file: file)
    }
}
