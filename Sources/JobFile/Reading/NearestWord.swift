/// The word among `candidates` that `word` was probably meant to be, or nil where none is near: at most a third of its
/// characters (and at least one, where the word has three or more) may differ. Ties go to the earlier candidate.
package func nearestWord(to word: String, among candidates: [String]) -> String? {
    let limit = max(1, word.count / 3)
    guard word.count >= 3 else { return nil }
    var best: (distance: Int, word: String)?
    for candidate in candidates {
        let distance = editDistance(Array(word.lowercased()), Array(candidate.lowercased()))
        if distance <= limit, distance < best?.distance ?? Int.max {
            best = (distance, candidate)
        }
    }
    return best?.word
}

/// Insertions, deletions, substitutions and swaps of neighbours that turn `a` into `b` (optimal string alignment).
package func editDistance(_ a: [Character], _ b: [Character]) -> Int {
    // Rows of the usual table: [b.count + 1], for prefixes of `a` that are two and one characters shorter than the current.
    var beforeLast: [Int] = []
    var last = Array(0...b.count)
    for i in a.indices {
        var current = [i + 1]
        for j in b.indices {
            var cost = min(last[j + 1] + 1, current[j] + 1, last[j] + (a[i] == b[j] ? 0 : 1))
            if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] {
                cost = min(cost, beforeLast[j - 1] + 1)
            }
            current.append(cost)
        }
        beforeLast = last
        last = current
    }
    return last[b.count]
}
