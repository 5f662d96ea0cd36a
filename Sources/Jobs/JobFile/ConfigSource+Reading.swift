import Foundation
import Simulation

extension JobFile.ConfigSource {
    /// The config, read from its file where it is not built in.
    /// - Parameter url: where a path of the user's lies.
    /// - Throws: `SimulationError`; or an error that names the file if it cannot be read.
    func config(locating url: (String) -> URL) throws -> SimulationConfig {
        switch self {
        case .named(let name):
            guard let config = SimulationConfig.named(name) else {
                throw SimulationError(
                    .unknownConfig, expected: Self.names.joined(separator: ", ") + " or the path of a config file",
                    found: name)
            }
            return config
        case .path(let path):
            let url = url(path)
            return try SimulationConfig(json: readFile(url), file: url.path)
        }
    }
}
