import Foundation
import Tensors
import TestSupport
import Testing

/// A golden `.npz` file of this module, by name of array.
struct Golden {
    private let arrays: [String: Tensor]

    init(_ file: String) throws {
        let url = goldenFolder("Training").appendingPathComponent(file)
        arrays = Dictionary(uniqueKeysWithValues: try NPZ.read(url).map { ($0.name, $0.tensor) })
    }

    func tensor(_ name: String) throws -> Tensor { try #require(arrays[name], "\(name)") }
    func floats(_ name: String) throws -> [Float] { try tensor(name).elements() }
    func doubles(_ name: String) throws -> [Double] { try tensor(name).elements() }
    func integers(_ name: String) throws -> [Int] { try tensor(name).elements(as: Int64.self).map(Int.init) }
}

/// The greatest difference of two vectors.
func greatestDifference<Number: BinaryFloatingPoint>(_ left: [Number], _ right: [Number]) -> Number {
    guard left.count == right.count else { return .infinity }
    return zip(left, right).map { abs($0 - $1) }.max() ?? 0
}
