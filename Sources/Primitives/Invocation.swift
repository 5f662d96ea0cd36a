import COneDNN

/// A primitive bound to the memories that it works on.
package final class Invocation {
    package let primitive: Primitive
    private let arguments: [dnnl_exec_arg_t]
    /// What the arguments point to.
    private let memories: [Memory]

    /// - Parameters:
    ///   - arguments: each memory with its layout and where it begins; the memory must live as long as the invocation.
    ///   - scratchpad: of `primitive.scratchpadByteCount` bytes; not touched where that is zero.
    package init(
        _ primitive: Primitive,
        _ arguments: [(argument: Argument, layout: MemoryDescriptor, address: UnsafeMutableRawPointer)],
        scratchpad: UnsafeMutableRawPointer, engine: Engine
    ) throws {
        var bound = arguments
        if primitive.scratchpadByteCount > 0 {
            bound.append((.scratchpad, try primitive.layout(.scratchpad), scratchpad))
        }
        memories = try bound.map { try Memory($0.layout, at: $0.address, engine: engine) }
        self.arguments = zip(bound, memories).map { dnnl_exec_arg_t(arg: $0.argument.raw, memory: $1.handle) }
        self.primitive = primitive
    }

    package func execute() throws { try primitive.execute(arguments) }
}
