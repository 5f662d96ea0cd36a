import Foundation
import Support
import Testing

@Suite struct StableJSONTests {
    private let values = ["b/c": 2, "a": 1]

    @Test func whatTravelsHasSortedKeys() throws {
        #expect(try String(decoding: values.stableJSON(), as: UTF8.self) == #"{"a":1,"b\/c":2}"#)
    }

    @Test func filesEndWithTheirLastLine() throws {
        #expect(
            try String(decoding: values.stableJSONFile(), as: UTF8.self) == "{\n  \"a\" : 1,\n  \"b/c\" : 2\n}\n")
    }

    @Test func numbersThatJSONCannotHoldAreRefused() {
        #expect(throws: EncodingError.self) { try [Double.nan].stableJSON() }
    }
}
