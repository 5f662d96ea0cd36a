/// `params`: by kind of parameter.
enum ParametersRule {
    static func apply(to state: inout PlacementState) {
        for parameter in state.graph.parameters.joined() {
            if let rule = state.config.parameters[parameter.kind] {
                state.apply(rule, to: parameter.tensor, path: "params.\(parameter.kind)")
            }
        }
    }
}
