import Graph
import TestSupport

extension ModelBuilder {
    func graph() throws -> Graph { try Graph(importing: file) }
}
