import ClusterProtocol
import Foundation

extension Moment {
    /// The system's monotonic clock, which does not jump when the wall clock is set.
    static var now: Moment { Moment(nanoseconds: Int64(DispatchTime.now().uptimeNanoseconds)) }
}
