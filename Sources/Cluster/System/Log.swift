import ClusterProtocol
import Logging

extension Logger {
    func record(_ event: LogLine) {
        log(level: event.level, "\(event.message)", metadata: event.metadata.mapValues { .string($0) })
    }
}
