import Tensors

/// Which of many boxes are kept: one after the other in the order of their scores, unless one that was kept before
/// overlaps.
package struct BoxSuppression {
    /// Corners: two that are opposite; else center, then extents.
    package let isCentered: Bool
    /// Boxes kept at most.
    package let limit: Int
    /// Of intersection over union, from which on a box is suppressed.
    package let overlap: Float
    /// Scores must be greater; nil where all are good enough.
    package let threshold: Float?

    package init(isCentered: Bool, limit: Int, overlap: Float, threshold: Float?) {
        (self.isCentered, self.limit, self.overlap, self.threshold) = (isCentered, limit, overlap, threshold)
    }

    /// The boxes that are kept of each image and class, as rows of image, class and box.
    /// - Parameters:
    ///   - boxes: float32 [images, boxes, 4].
    ///   - scores: float32 [images, classes, boxes].
    package func kept(boxes: Tensor, scores: Tensor) -> Tensor {
        var rows: [Int64] = []
        let (classes, count, corners, numbers) = (scores.shape[1], scores.shape[2], boxes.floats, scores.floats)
        for image in 0..<scores.shape[0] {
            for index in 0..<classes {
                let start = (image * classes + index) * count
                let kept = kept(
                    boxes: corners[4 * image * count..<4 * (image + 1) * count], scores: numbers[start..<start + count])
                for box in kept { rows += [Int64(image), Int64(index), Int64(box)] }
            }
        }
        return Tensor(shape: [rows.count / 3, 3], rows)
    }

    /// The boxes that are kept, by falling score; of equal scores the first comes first.
    /// - Parameters:
    ///   - boxes: [boxes, 4], y before x where corners, x before y where centers.
    ///   - scores: [boxes].
    private func kept(boxes: ArraySlice<Float>, scores: ArraySlice<Float>) -> [Int] {
        let scores = Array(scores)
        let candidates = scores.indices.filter { index in threshold.map { scores[index] > $0 } ?? true }
        let order = candidates.sorted { scores[$0] == scores[$1] ? $0 < $1 : scores[$0] > scores[$1] }
        var kept: [(index: Int, box: Box)] = []
        for index in order {
            guard kept.count < limit else { break }
            let start = boxes.startIndex + 4 * index
            let box = Box(boxes[start..<start + 4], isCentered: isCentered)
            if !kept.contains(where: { $0.box.overlap(with: box) > overlap }) { kept.append((index, box)) }
        }
        return kept.map(\.index)
    }

    private struct Box {
        let low, high: (Float, Float)

        init(_ numbers: ArraySlice<Float>, isCentered: Bool) {
            let n = Array(numbers)
            if isCentered {
                low = (n[0] - n[2] / 2, n[1] - n[3] / 2)
                high = (n[0] + n[2] / 2, n[1] + n[3] / 2)
            } else {
                low = (min(n[1], n[3]), min(n[0], n[2]))
                high = (max(n[1], n[3]), max(n[0], n[2]))
            }
        }

        private var area: Float { (high.0 - low.0) * (high.1 - low.1) }

        /// Intersection over union; -1 where there is no intersection.
        func overlap(with other: Box) -> Float {
            let width = min(high.0, other.high.0) - max(low.0, other.low.0)
            let height = min(high.1, other.high.1) - max(low.1, other.low.1)
            guard width > 0, height > 0 else { return -1 }
            let intersection = width * height
            let union = area + other.area - intersection
            guard intersection > 0, area > 0, other.area > 0, union > 0 else { return -1 }
            return intersection / union
        }
    }
}
