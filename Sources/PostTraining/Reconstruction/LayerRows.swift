import CKernels
import Nodes
import Support
import Tensors

/// The rows of a layer's inputs and outputs, cut out of what a plan holds, and the sums of their products.
package struct LayerRows {
    /// Rows that are copied and multiplied at a time: their sums are in single precision.
    private static let block = 256

    private let layer: ProductLayer
    private let units: MomentUnits
    private let layout: MomentsLayout
    /// Columns of an input row, which ends with a one, and of an output row, filled up for the kernel.
    private let columns: Int
    private let outputColumns: Int
    private var inputs: [Float]
    private var outputs: [Float]

    /// - Parameter units: that moments are to be in.
    package init(_ layer: ProductLayer, units: MomentUnits = MomentUnits()) {
        func filled(_ count: Int) -> Int {
            (count + Int(QS_PRODUCT_COLUMNS) - 1) / Int(QS_PRODUCT_COLUMNS) * Int(QS_PRODUCT_COLUMNS)
        }
        self.layer = layer
        self.units = units
        layout = MomentsLayout(layer)
        columns = filled(layer.inputs + 1)
        outputColumns = filled(layer.outputsPerGroup)
        inputs = [Float](repeating: 0, count: Self.block * columns)
        outputs = [Float](repeating: 0, count: Self.block * outputColumns)
        for row in 0..<Self.block { inputs[row * columns + layer.inputs] = 1 }
    }

    /// Adds the moments of samples, each with the average over its rows.
    /// - Parameters:
    ///   - x: the layer's input in the quantized model, of that shape.
    ///   - y: its output in the FP32 model, as many samples.
    ///   - total: as the layout says.
    package mutating func add(
        _ x: UnsafeBufferPointer<Float>, _ shape: Shape, _ y: UnsafeBufferPointer<Float>, samples: Int,
        to total: inout [Double]
    ) {
        let rows = y.count / layer.outputs
        guard rows > 0, let x = x.baseAddress, let y = y.baseAddress else { return }
        let scale = Double(samples) / Double(rows)
        for group in 0..<layer.groups {
            var products = [Double](repeating: 0, count: columns * columns)
            var cross = [Double](repeating: 0, count: columns * outputColumns)
            var squares = [Double](repeating: 0, count: layer.outputsPerGroup)
            if let window = layer.window {
                let images = shape[0]
                var geometry = geometry(window, shape)
                let windows = geometry.windows.0 * geometry.windows.1 * geometry.windows.2
                let size = shape.count / images / layer.groups
                for image in 0..<images {
                    let own = x + (image * layer.groups + group) * size
                    let made = y + (image * layer.outputs + group * layer.outputsPerGroup) * windows
                    forEachBlock(of: windows) { first, count in
                        inputs.withUnsafeMutableBufferPointer {
                            qs_copy_patches(&geometry, own, first, count, $0.baseAddress, columns)
                        }
                        for output in 0..<layer.outputsPerGroup {
                            for row in 0..<count {
                                outputs[row * outputColumns + output] = made[output * windows + first + row]
                            }
                        }
                        multiply(count, &products, &cross, &squares)
                    }
                }
            } else {
                forEachBlock(of: rows) { first, count in
                    for row in 0..<count {
                        for input in 0..<layer.inputs {
                            inputs[row * columns + input] = x[(first + row) * layer.inputs + input]
                        }
                        for output in 0..<layer.outputs {
                            outputs[row * outputColumns + output] = y[(first + row) * layer.outputs + output]
                        }
                    }
                    multiply(count, &products, &cross, &squares)
                }
            }
            add(products, cross, squares, group: group, scale: scale, to: &total)
        }
    }

    private func forEachBlock(of rows: Int, _ body: (_ first: Int, _ count: Int) -> Void) {
        for first in stride(from: 0, to: rows, by: Self.block) { body(first, min(Self.block, rows - first)) }
    }

    private func multiply(
        _ rows: Int, _ products: inout [Double], _ cross: inout [Double], _ squares: inout [Double]
    ) {
        let isa = InstructionSet.pinned.isa
        qs_add_products(isa, inputs, columns, inputs, columns, rows, true, &products)
        qs_add_products(isa, inputs, columns, outputs, outputColumns, rows, false, &cross)
        for row in 0..<rows {
            for output in 0..<layer.outputsPerGroup {
                let value = Double(outputs[row * outputColumns + output])
                squares[output] += value * value
            }
        }
    }

    private func add(
        _ products: [Double], _ cross: [Double], _ squares: [Double], group: Int, scale: Double,
        to total: inout [Double]
    ) {
        var next = group * layout.groupCount
        func put(_ value: Double, _ inputs: Int, _ outputs: Int) {
            total[next] += value * scale * units.factor(inputs: inputs, outputs: outputs)
            next += 1
        }
        let count = layer.inputs
        for row in 0..<count {
            for column in row..<count { put(products[row * columns + column], 2, 0) }
        }
        for input in 0..<count {
            for output in 0..<layer.outputsPerGroup { put(cross[input * outputColumns + output], 1, 1) }
        }
        for input in 0..<count { put(products[input * columns + count], 1, 0) }
        for output in 0..<layer.outputsPerGroup { put(cross[count * outputColumns + output], 0, 1) }
        for square in squares { put(square, 0, 2) }
    }

    private func geometry(_ window: Window, _ shape: Shape) -> qs_patches {
        let extents = Array(shape.dimensions.dropFirst(2))
        let (begin, _) = window.resolvedPadding(input: extents, kernel: layer.kernel)
        let windows = window.outputExtents(input: extents, kernel: layer.kernel)
        let missing = 3 - extents.count
        func axes(_ value: (Int) -> Int, _ other: Int) -> (Int, Int, Int) {
            func axis(_ index: Int) -> Int { index < missing ? other : value(index - missing) }
            return (axis(0), axis(1), axis(2))
        }
        return qs_patches(
            channels: shape[1] / layer.groups, extent: axes({ extents[$0] }, 1), kernel: axes({ layer.kernel[$0] }, 1),
            stride: axes(window.stride, 1), dilation: axes(window.dilation, 1), begin: axes({ begin[$0] }, 0),
            windows: axes({ windows[$0] }, 1))
    }
}
