import Foundation
import Support
import Testing

@Suite struct JSONCursorTests {
    private func cursor(_ text: String) throws -> JSONCursor { try JSONCursor(Data(text.utf8), file: "f.json") }

    @Test func `every place knows its path`() throws {
        let root = try cursor("{\"a\": {\"b\": [1, {\"c\": \"x\"}]}, \"d\": \"True\"}")
        let list = try root.required("a").required("b")
        #expect(list.path == "a.b")
        #expect(try list.elements()[0].integer(in: 0...1) == 1)
        #expect(try list.elements()[1].required("c").path == "a.b[1].c")
        #expect(try root.required("d").bool() && root.required("d").boolText())
        #expect(try root.optional("e") == nil)
        #expect(try root.members().map(\.key) == ["a", "d"])
        let error = #expect(throws: JSONError.self) { try list.elements()[1].required("c").number() }
        #expect(
            error
                == JSONError(
                    .invalidValue, file: "f.json", path: "a.b[1].c", expected: "a number", found: "\"x\""))
    }

    @Test func `keys are told that are missing or not known`() throws {
        let place = try cursor("{\"a\": {\"b\": 1}}").required("a")
        let missing = #expect(throws: JSONError.self) { try place.required("c") }
        #expect(missing == JSONError(.missingKey, file: "f.json", path: "a.c"))
        #expect(#expect(throws: JSONError.self) { try place.members(["b"], required: ["c"]) } == missing)
        let unknown = #expect(throws: JSONError.self) { try place.members(["c", "d"]) }
        #expect(unknown == JSONError(.unknownKey, file: "f.json", path: "a.b", expected: "c, d", found: "b"))
        #expect(#expect(throws: JSONError.self) { try cursor("{") }?.code == .malformed)
    }

    @Test func `booleans as strings alone`() throws {
        let root = try cursor("[true, \"true\", \"False\", 1]")
        let places = try root.elements()
        #expect(try places[0].bool() && places[1].bool() && !places[2].bool() && !places[2].boolText())
        for place in [places[0], places[1], places[3]] {
            #expect(throws: JSONError.self) { try place.boolText() }
        }
        #expect(throws: JSONError.self) { try places[3].bool() }
    }

    @Test func `text is sorted and has the fewest digits`() {
        let value = JSONValue.object([
            "b": .array([.number(0.1), .integer(2), .null]), "a\n": .bool(true), "c": .array([]),
        ])
        #expect(
            JSONText.document(value) == """
                {
                    "a\\n": true,
                    "b": [
                        0.1,
                        2,
                        null
                    ],
                    "c": []
                }

                """)
    }
}
