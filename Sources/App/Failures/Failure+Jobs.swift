import JobFile
import Support

extension JobError {
    var sentence: Sentence {
        switch code {
        case .invalidYAML:
            placed("not valid YAML", expected: expected, found: found)
        case .unknownKey:
            // With a near key at hand, the list of all keys would hide it.
            Sentence(
                "unknown key \(key ?? "")", file: file, line: line, expected: suggestion == nil ? expected : nil,
                suggestion: suggestion)
        case .missingKey:
            Sentence("missing key \(key ?? "")", file: file, line: line, expected: expected)
        case .duplicateKey:
            placed("given twice", found: found)
        case .wrongType, .outOfRange, .unknownChoice, .conflictingKeys:
            placed("", expected: expected, found: found)
        case .unsupported:
            Sentence("\(found ?? key ?? ""): not supported by this version", file: file, line: line)
        case .unreadableFile:
            placed("cannot be read", found: found)
        case .unwritableFile:
            placed("cannot be written", found: found)
        case .processNotStarted:
            placed("cannot be started as a process", found: found)
        }
    }

    private func placed(_ complaint: String, expected: String? = nil, found: String? = nil) -> Sentence {
        Sentence(
            complaint, file: file, line: line, key: key, expected: expected, found: found, suggestion: suggestion)
    }

    var exitReason: ExitReason {
        switch code {
        case .unreadableFile, .unwritableFile, .processNotStarted:
            systemError.map(ExitReason.init(systemError:)) ?? .permanent
        default: .permanent
        }
    }
}
