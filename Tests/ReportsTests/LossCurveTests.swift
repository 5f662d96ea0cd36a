import Foundation
import Reports
import Testing

@Suite struct LossCurveTests {
    @Test(arguments: [1, 1999, 2000, 2001, 4000, 4001, 123_457])
    func pointsAreBounded(_ steps: Int) {
        var curve = LossCurve(stepCount: steps)
        for step in 0..<steps { curve.append(Float(step)) }
        #expect(curve.losses.count <= LossCurve.maximumPoints)
        #expect(curve.losses.count == (steps + curve.stepsPerPoint - 1) / curve.stepsPerPoint)
        // As fine as the bound allows.
        #expect(curve.stepsPerPoint == 1 || (steps - 1) / (curve.stepsPerPoint - 1) >= LossCurve.maximumPoints)
    }

    @Test func aPointIsAMean() {
        var curve = LossCurve(stepCount: 4001)
        #expect(curve.stepsPerPoint == 3)
        for loss in [1, 2, 6, 5] as [Float] { curve.append(loss) }
        #expect(curve.losses == [3, 5])
        curve.append(7)
        #expect(curve.losses == [3, 6])
        curve.append(9)
        #expect(curve.losses == [3, 7])
    }

    /// What a resumed training reads goes on as it was; a report holds points alone.
    @Test func whatIsOpenIsKeptUntilTheEnd() throws {
        var curve = LossCurve(stepCount: 4001)
        for loss in [1, 2, 6, 5, 0.1] as [Float] { curve.append(loss) }
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        let read = try JSONDecoder().decode(LossCurve.self, from: encoder.encode(curve))
        #expect(read == curve)
        #expect(read.finished.losses == curve.losses && curve.losses.count == 2)
        let report = String(decoding: try encoder.encode(curve.finished), as: UTF8.self)
        #expect(report.hasPrefix(#"{"losses":[3,"#) && report.hasSuffix(#"],"steps_per_point":3}"#))
    }
}
