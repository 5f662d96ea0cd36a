import Primitives

// What callers of plans meet of the module below.

/// A graph that cannot be compiled, or a computation that failed.
public typealias ExecutionError = Primitives.ExecutionError

/// The compute library as this machine has it.
public typealias ComputeLibrary = Primitives.ComputeLibrary
