import Foundation
import Support
import Tensors
import TestSupport
import Testing
import Training

@Suite struct CheckpointStoreTests {
    private static func checkpoint(_ step: Int, value: Float = 1) -> Checkpoint {
        Checkpoint(
            .init(step: step, epoch: step / 10, seed: 7, digests: ["job": "abc"]),
            tensors: ["w": Tensor(shape: [2], [Float(step), value])])
    }

    @Test func `a checkpoint is read as it was written`() throws {
        let scratch = try ScratchFolder()
        let store = try CheckpointStore(folder: scratch.url.appendingPathComponent("a/b"))
        #expect(try store.readLatest { $0 }.value == nil)
        let settings = try OptimizerSettings(.adamW, learningRate: 0.1, weightDecay: 0.01)
        let layout = try ParameterLayout([("conv/weight", [2, 3]), ("bias", [4])])
        var parameters = (0..<10).map { Float($0) / 7 }
        var optimizer = Optimizer(settings, count: 10)
        for _ in 0..<3 {
            optimizer.step(parameters: &parameters, gradients: parameters.map { $0 * 0.1 }, learningRate: 0.1)
        }
        let manifest = Checkpoint.Manifest(step: 3, epoch: 1, seed: .max, digests: ["job": "abc"])
        try store.write(Checkpoint(manifest, layout: layout, parameters: parameters, optimizer: optimizer))

        let found = try #require(try store.readLatest { $0 }.value)
        #expect(found.manifest.step == 3 && found.manifest.epoch == 1 && found.manifest.seed == .max)
        #expect(found.manifest.digests["job"] == "abc")
        #expect(found.tensors.keys.sorted().first == "optimizer/first_moment/bias")
        let restored = try found.restored(layout: layout, settings: settings)
        #expect(restored.parameters == parameters && restored.optimizer == optimizer)

        // Another layout or another optimizer does not take it.
        let longer = try ParameterLayout([("conv/weight", [2, 3]), ("bias", [4]), ("more", [1])])
        let shorter = try ParameterLayout([("conv/weight", [2, 3])])
        let turned = try ParameterLayout([("conv/weight", [3, 2]), ("bias", [4])])
        let plain = try OptimizerSettings(.sgd(momentum: 0, nesterov: false), learningRate: 0.1)
        for (layout, settings) in [(longer, settings), (shorter, settings), (turned, settings), (layout, plain)] {
            #expect(throws: TrainingError.self) { try found.restored(layout: layout, settings: settings) }
        }
    }

    @Test func `the newest are kept, and those protected`() throws {
        let scratch = try ScratchFolder()
        let store = try CheckpointStore(folder: scratch.url, keeping: 2)
        for step in [5, 10, 15, 20, 100] { try store.write(Self.checkpoint(step), protecting: [10]) }
        #expect(try store.steps() == [10, 20, 100])
        try store.write(Self.checkpoint(120))
        #expect(try store.steps() == [100, 120])
        // A step before the newest, as after a restart from an older checkpoint, is not removed at once.
        try store.write(Self.checkpoint(50))
        #expect(try store.steps() == [50, 100, 120])
        let names = try FileManager.default.contentsOfDirectory(atPath: scratch.url.path).sorted()
        #expect(names == ["step-000000050", "step-000000100", "step-000000120"])
    }

    @Test func `a checkpoint of the same step is replaced`() throws {
        let scratch = try ScratchFolder()
        let store = try CheckpointStore(folder: scratch.url, keeping: 1)
        try store.write(Self.checkpoint(5, value: 1))
        try store.write(Self.checkpoint(5, value: 2))
        #expect(try store.read(step: 5).tensors["w"] == Tensor(shape: [2], [5, 2] as [Float]))
        #expect(try FileManager.default.contentsOfDirectory(atPath: scratch.url.path) == ["step-000000005"])
    }

    @Test func `interrupted writes are cleared away or undone`() throws {
        let scratch = try ScratchFolder()
        let store = try CheckpointStore(folder: scratch.url)
        try store.write(Self.checkpoint(5))
        try store.write(Self.checkpoint(6))
        // Interrupted before the rename; between the two renames of a replacement; before the removal of the replaced.
        try scratch.write(Data("half".utf8), to: ".step-7-X/tensors.safetensors")
        let files = FileManager.default
        func url(_ name: String) -> URL { scratch.url.appendingPathComponent(name) }
        try files.moveItem(at: url("step-000000006"), to: url(".replaced-step-000000006"))
        try files.copyItem(at: url("step-000000005"), to: url(".replaced-step-000000005"))
        let again = try CheckpointStore(folder: scratch.url)
        #expect(try again.steps() == [5, 6])
        #expect(try again.readLatest { $0 }.value?.manifest.step == 6)
        #expect(try files.contentsOfDirectory(atPath: scratch.url.path).count == 2)
    }

    @Test func `a spoilt checkpoint is told, and an older one taken`() throws {
        let scratch = try ScratchFolder()
        let store = try CheckpointStore(folder: scratch.url)
        for step in [1, 2, 3] { try store.write(Self.checkpoint(step)) }
        let tensors = scratch.url.appendingPathComponent("step-000000003/tensors.safetensors")
        var data = try Data(contentsOf: tensors)
        data[data.count - 1] ^= 1
        try data.write(to: tensors)
        try scratch.write(Data("{}".utf8), to: "step-000000002/manifest.json")
        #expect(#expect(throws: TrainingError.self) { try store.read(step: 3) }?.code == .digestMismatch)
        #expect(#expect(throws: TrainingError.self) { try store.read(step: 4) }?.code == .cannotOpen)
        let (found, passedOver) = try store.readLatest { $0 }
        #expect(found?.manifest.step == 1)
        #expect(passedOver.map(\.code) == [.digestMismatch, .malformed])
        try FileManager.default.removeItem(at: scratch.url.appendingPathComponent("step-000000001/manifest.json"))
        #expect(#expect(throws: TrainingError.self) { try store.readLatest { $0 } }?.code == .digestMismatch)
    }

    /// What stays could be gone on from later, in place of what was computed since: it is told, not passed over.
    @Test func `an old checkpoint that cannot be removed is an error`() throws {
        let scratch = try ScratchFolder()
        let store = try CheckpointStore(folder: scratch.url, keeping: 1)
        try store.write(Self.checkpoint(1))
        let first = scratch.url.appendingPathComponent("step-000000001")
        let log = FileLog(failing: .remove, with: EACCES)
        let refused = TrainingError(.cannotWrite, file: first.path, found: String(cString: strerror(EACCES)))
        #expect(
            log.recording { #expect(throws: TrainingError.self) { try store.write(Self.checkpoint(2)) } } == refused)
        // The new one is in place nevertheless, and the next write tries again.
        #expect(try store.steps() == [1, 2])
        try store.write(Self.checkpoint(3))
        #expect(try store.steps() == [3])

        // The one of the same step that was replaced, now and when the folder is opened again.
        let replaced = scratch.url.appendingPathComponent(".replaced-step-000000003")
        for body in [
            { try store.write(Self.checkpoint(3, value: 2)) },
            { _ = try CheckpointStore(folder: scratch.url, keeping: 1) },
        ] {
            let error = log.recording { #expect(throws: TrainingError.self) { try body() } }
            #expect(error?.code == .cannotWrite && error?.file == replaced.path)
        }
        let found = try CheckpointStore(folder: scratch.url).read(step: 3)
        #expect(found.tensors["w"] == Tensor(shape: [2], [3, 2] as [Float]))
        #expect(try FileManager.default.contentsOfDirectory(atPath: scratch.url.path) == ["step-000000003"])
    }

    @Test func `a run that begins anew clears the folder, or says that it cannot`() throws {
        let scratch = try ScratchFolder()
        let folder = scratch.url.appendingPathComponent("checkpoints")
        // There need be none.
        try CheckpointStore(folder: folder, clearing: true).write(Self.checkpoint(7))
        let error = FileLog(failing: .remove, with: EBUSY).recording {
            #expect(throws: TrainingError.self) { try CheckpointStore(folder: folder, clearing: true) }
        }
        #expect(error == TrainingError(.cannotWrite, file: folder.path, found: String(cString: strerror(EBUSY))))
        #expect(try CheckpointStore(folder: folder).steps() == [7])
        #expect(try CheckpointStore(folder: folder, clearing: true).steps().isEmpty)
    }

    @Test func `a checkpoint is on the disk before it has its name`() throws {
        let scratch = try ScratchFolder()
        let store = try CheckpointStore(folder: scratch.url)
        let log = FileLog()
        try log.recording { try store.write(Self.checkpoint(1)) }
        #expect(
            log.operations == [
                .create, .write, .write, .flush, .create, .write, .flush, .flush, .rename, .flush,
            ])
        #expect(log.paths.last == scratch.url.path)
        #expect(log.flushesBeforeRename(of: scratch.url.appendingPathComponent("step-000000001")))
    }
}
