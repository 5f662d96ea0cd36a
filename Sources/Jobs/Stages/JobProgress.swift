/// Where a job says how far it is: a terminal, a log. May be used from any thread.
package protocol JobProgress: Sendable {
    /// A new stage begins.
    /// - Parameters:
    ///   - total: samples to do.
    ///   - done: samples done already, as after a resume.
    func begin(stage: String, total: Int, done: Int)
    /// A part of the running stage, over samples of its own, takes its place until `endPart`.
    func beginPart(_ name: String, total: Int)
    func endPart()
    /// Says more about the running stage.
    func note(_ text: String)
    /// The stage is over.
    /// - Parameter note: what came of it, such as an accuracy.
    func end(note: String?)
    /// A line of its own.
    func message(_ text: String)
    /// An error that the job goes on after.
    /// - Parameter what: what it kept the job from.
    func warning(_ what: String, _ error: any Error)
}

extension JobProgress {
    func begin(stage: String, total: Int) { begin(stage: stage, total: total, done: 0) }
    func end() { end(note: nil) }
}
