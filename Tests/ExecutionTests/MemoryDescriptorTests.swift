import COneDNN
import Execution
import Primitives
import Tensors
import Testing

struct MemoryDescriptorTests {
    @Test func rowMajor() throws {
        let layout = try MemoryDescriptor(plain: [2, 3, 5])
        #expect(layout.shape == [2, 3, 5])
        #expect(layout.byteCount == 120)
        #expect(layout.paddingCount == 0)
        #expect(try layout == MemoryDescriptor(shape: [2, 3, 5], strides: [15, 5, 1]))
        #expect(try layout != MemoryDescriptor(shape: [2, 3, 5], strides: [15, 1, 3]))
    }

    /// oneDNN has no rank 0.
    @Test func scalarIsAVectorOfOne() throws {
        let layout = try MemoryDescriptor(plain: [])
        #expect(layout.shape == [1])
        #expect(layout.byteCount == 4)
    }

    @Test func withoutElements() throws {
        let layout = try MemoryDescriptor(plain: [0, 3])
        #expect(layout.byteCount == 0)
        #expect(layout.paddingCount == 0)
    }

    /// [2, 5, 3, 3] in blocks of eight channels: three channels of zeros for each sample and place.
    @Test func paddingOfBlocks() throws {
        var raw = dnnl_memory_desc_t()
        #expect(dnnl_memory_desc_init_by_tag(&raw, 4, [2, 5, 3, 3], dnnl_f32, dnnl_aBcd8b) == dnnl_success)
        let layout = MemoryDescriptor(raw)
        #expect(layout.shape == [2, 5, 3, 3])
        #expect(layout.byteCount == 2 * 8 * 9 * 4)
        #expect(layout.paddingCount == 2 * 3 * 9)
        #expect(try layout != MemoryDescriptor(plain: [2, 5, 3, 3]))
    }

    @Test func permutationNamesTheSourceOfEachAxis() throws {
        let permuted = try MemoryDescriptor(plain: [2, 3, 5]).permuted([1, 2, 0])
        #expect(permuted.shape == [3, 5, 2])
        #expect(try permuted == MemoryDescriptor(shape: [3, 5, 2], strides: [5, 1, 15]))
    }

    @Test func boxLiesInTheSameMemory() throws {
        let box = try MemoryDescriptor(plain: [4, 6]).box([2, 3], offsets: [1, 2])
        #expect(box.shape == [2, 3])
        #expect(box.raw.offset0 == 8)
    }

    @Test func boxThatCutsABlockIsRefused() throws {
        var raw = dnnl_memory_desc_t()
        #expect(dnnl_memory_desc_init_by_tag(&raw, 4, [1, 16, 2, 2], dnnl_f32, dnnl_aBcd8b) == dnnl_success)
        #expect(throws: ExecutionError.self) { try MemoryDescriptor(raw).box([1, 5, 2, 2], offsets: [0, 3, 0, 0]) }
    }
}
