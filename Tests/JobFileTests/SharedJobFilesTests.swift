import Datasets
import Foundation
import JobFile
import Testing

/// The job files that lie beside the repository, where they do.
@Suite struct SharedJobFilesTests {
    static let folder = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("../shared/models").standardizedFileURL

    static var areThere: Bool { FileManager.default.fileExists(atPath: folder.path) }

    private func path(_ name: String) -> String { Self.folder.appendingPathComponent(name).path }

    @Test(
        .enabled(if: areThere, "there is no ../shared/models"),
        arguments: [
            "resnet20_cifar10.yml", "resnet20_cifar10_calibration.yml", "resnet20_cifar10_qat.yml",
            "resnet20_cifar10_qat_short.yml", "resnet20_cifar10_qdq.yml",
        ])
    func jobsThatThisVersionRuns(_ name: String) throws {
        let path = path(name)
        let job = try JobFile.read(path)
        #expect(job.model == "resnet20_cifar10.onnx")
        #expect(FileManager.default.fileExists(atPath: job.url(for: job.model).path))
        #expect(job.dataset.batch == 50)
        #expect(job.dataset.image?.sizing == .stretched(height: 32, width: 32))
        #expect(job.postTraining == [.foldBatchNorms])
    }

    @Test(.enabled(if: areThere, "there is no ../shared/models")) func jobThatEqualizes() throws {
        let job = try JobFile.read(path("resnet20_unequalized.yml"))
        #expect(job.model == "resnet20_unequalized.onnx")
        #expect(job.postTraining == [.foldBatchNorms, .crossLayerEqualization])
    }
}
