import Graph
import Nodes
import Operators
import Quantization

extension QuantizerPlacement {
    /// The placement with what the user wants in place of what config and target say. Entries are applied in their order,
    /// later ones win. A shared quantizer changes for all tensors that share it.
    ///
    /// A quantizer that is off keeps what it is set to, and stays off unless it is enabled.
    /// - Parameter graph: the one that the quantizers are placed on.
    /// - Throws: `SimulationError(.nothingSelected)` for a name that selects nothing, and for settings that have nothing to
    ///   apply to: all that the entry selects is off, or cannot have what it asks for.
    public func overridden(
        by overrides: [PlacementOverride], in graph: Graph
    ) throws(SimulationError) -> QuantizerPlacement {
        var edit = PlacementEdit(self, in: graph)
        // A later entry may enable what an earlier one has set.
        var open: [(path: String, tensors: [String])] = []
        for (index, entry) in overrides.enumerated() {
            let rule = OverrideRules(edit: edit, rule: PlacementStep.overrideRule(index))
            for selection in try rule.selections(of: entry) {
                try edit.apply(selection, by: rule.rule)
                let isIdle =
                    selection.settings.enabled == nil && !selection.targets.contains { edit.isEnabled($0.tensor) }
                if isIdle { open.append((selection.path, selection.targets.map(\.tensor))) }
            }
        }
        for (path, tensors) in open where !tensors.contains(where: edit.isEnabled) {
            throw SimulationError(
                .nothingSelected, path: path, expected: "a quantizer that is on, or enabled: true",
                found: "quantizers that are off: " + tensors.prefix(3).joined(separator: ", ")
                    + (tensors.count > 3 ? ", and \(tensors.count - 3) more" : ""))
        }
        return edit.result
    }
}

/// What one entry of `overrides` selects.
struct OverrideRules {
    let edit: PlacementEdit
    let rule: String

    struct Target {
        var tensor: String
        /// The node for whose sake.
        var node: Node?
    }

    /// Quantizers, each once, and what is wanted of them.
    struct Selection {
        /// Where in the job.
        var path: String
        var targets: [Target]
        var settings: QuantizerOverride
    }

    func selections(of entry: PlacementOverride) throws(SimulationError) -> [Selection] {
        switch entry {
        case .tensors(let patterns, let settings):
            var targets: [Target] = []
            for (index, pattern) in patterns.enumerated() {
                let names = NamePattern(text: pattern).matches(in: edit.tensors)
                guard !names.isEmpty else { throw edit.unknown(pattern, at: "\(rule).tensors[\(index)]") }
                targets += names.map { Target(tensor: $0) }
            }
            return [Selection(path: rule, targets: Self.once(targets), settings: settings)]
        case .ops(let types, let settings):
            let known = Set(edit.graph.graph.nodes.map(\.opType))
            for (index, type) in types.enumerated() where !known.contains(type) {
                throw SimulationError(
                    .nothingSelected, path: "\(rule).ops[\(index)]", expected: "the type of an op of the model",
                    found: type, candidates: known.sorted())
            }
            return try selections(settings) { types.contains($0.opType) }
        case .nodes(let patterns, let settings):
            let known = edit.graph.graph.nodes.map(\.name)
            var names: Set<String> = []
            for (index, pattern) in patterns.enumerated() {
                let matches = NamePattern(text: pattern).matches(in: known)
                guard !matches.isEmpty else {
                    throw SimulationError(
                        .nothingSelected, path: "\(rule).nodes[\(index)]", expected: "a node of the model",
                        found: pattern, candidates: known)
                }
                names.formUnion(matches)
            }
            return try selections(settings) { names.contains($0.name) }
        }
    }

    private func selections(
        _ settings: PlacementOverride.NodeOverride, where isSelected: (Node) -> Bool
    ) throws(SimulationError) -> [Selection] {
        let nodes = edit.graph.graph.nodes.enumerated().filter { isSelected($0.element) }
        let wanted: [(key: String, settings: QuantizerOverride?, tensors: (Int) -> [String])] = [
            (
                "inputs", settings.inputs,
                { node in
                    edit.graph.graph.nodes[node].inputs.compactMap {
                        activation(behind: $0, isEnabled: settings.inputs?.enabled)
                    }
                }
            ),
            (
                "outputs", settings.outputs,
                { node in edit.graph.graph.nodes[node].outputs.filter { edit.quantizers[$0]?.role == .activation } }
            ),
            ("parameters", settings.parameters, { node in edit.graph.parameters[node].map(\.tensor) }),
        ]
        var selections: [Selection] = []
        for (key, settings, tensors) in wanted {
            guard let settings else { continue }
            let targets = nodes.flatMap { index, node in tensors(index).map { Target(tensor: $0, node: node) } }
            guard !targets.isEmpty else {
                throw SimulationError(
                    .nothingSelected, path: "\(rule).\(key)", expected: "\(key) with a quantizer, on or off",
                    found: "none at " + nodes.prefix(3).map(\.element.name).joined(separator: ", "))
            }
            selections.append(Selection(path: "\(rule).\(key)", targets: Self.once(targets), settings: settings))
        }
        return selections
    }

    /// The input's own quantizer where it is on, or is to be switched on; else the one whose grid the input is on.
    private func activation(behind input: String, isEnabled: Bool?) -> String? {
        let own = edit.quantizers[input].flatMap { $0.role == .activation ? $0 : nil }
        if let own, own.enabled || isEnabled == true { return input }
        if edit.quantizers[input]?.role == .parameter { return nil }
        return edit.source(of: input) ?? own?.tensor
    }

    private static func once(_ targets: [Target]) -> [Target] {
        var seen: Set<String> = []
        return targets.filter { seen.insert($0.tensor).inserted }
    }
}

extension PlacementEdit {
    fileprivate mutating func apply(
        _ selection: OverrideRules.Selection, by rule: String
    ) throws(SimulationError) {
        let settings = selection.settings
        for target in selection.targets {
            if let enabled = settings.enabled { set(.enabled(enabled), of: target.tensor, by: rule, at: target.node) }
            for change in settings.sharedChanges { setShared(change, of: target.tensor, by: rule, at: target.node) }
        }
        let parameters = selection.targets.filter { quantizers[$0.tensor]?.role == .parameter }
        if let perChannel = settings.perChannel {
            try setChannels(perChannel, of: parameters, selection, by: rule)
        }
        if let blockSize = settings.blockSize { try setBlocks(blockSize, of: parameters, selection, by: rule) }
    }

    private mutating func setChannels(
        _ perChannel: Bool, of parameters: [OverrideRules.Target], _ selection: OverrideRules.Selection, by rule: String
    ) throws(SimulationError) {
        var changed = 0
        for target in parameters {
            let axis = perChannel ? try axes(of: target.tensor).channels : nil
            if perChannel && axis == nil { continue }
            if quantizers[target.tensor]?.blocks != nil {
                set(.blocks(nil), of: target.tensor, by: rule, at: target.node)
            }
            set(.channelAxis(axis), of: target.tensor, by: rule, at: target.node)
            changed += 1
        }
        guard changed > 0 else {
            throw SimulationError(
                .nothingSelected, path: selection.path + ".per_channel",
                expected: "a parameter with output channels",
                found: selection.targets.prefix(3).map(\.tensor).joined(separator: ", "))
        }
    }

    /// Cuts the channels of those parameters whose input channels the size divides.
    private mutating func setBlocks(
        _ size: Int, of parameters: [OverrideRules.Target], _ selection: OverrideRules.Selection, by rule: String
    ) throws(SimulationError) {
        var changed = 0
        for target in parameters {
            let axes = try axes(of: target.tensor)
            guard let channels = axes.channels, let inputs = axes.blocks,
                let extent = graph.graph.constants[target.tensor]?.shape[inputs], extent.isMultiple(of: size)
            else { continue }
            set(.channelAxis(channels), of: target.tensor, by: rule, at: target.node)
            set(.blocks(Blocks(axis: inputs, size: size)), of: target.tensor, by: rule, at: target.node)
            changed += 1
        }
        guard changed > 0 else {
            throw SimulationError(
                .nothingSelected, path: selection.path + ".block_size",
                expected: "a parameter whose input channels are a multiple of \(size)",
                found: selection.targets.prefix(3).map(\.tensor).joined(separator: ", "))
        }
    }

    /// Those of the output channels and of the input channels, as far as a parameter has them.
    private func axes(of parameter: String) throws(SimulationError) -> (channels: Int?, blocks: Int?) {
        var first: PlacementGraph.Parameter?
        for (index, found) in graph.parameters.enumerated() {
            for candidate in found where candidate.tensor == parameter {
                if let first, first.channelAxis != candidate.channelAxis {
                    throw SimulationError(
                        .conflictingParameter, tensor: parameter, node: graph.graph.nodes[index].name,
                        expected: first.channelAxis.map { "axis \($0)" },
                        found: candidate.channelAxis.map { "axis \($0)" })
                }
                first = candidate
            }
        }
        if let first { return (first.channelAxis, first.blockAxis) }
        // The scale of a normalization in elementary ops.
        return (graph.graph.constants[parameter]?.shape.rank == 1 ? 0 : nil, nil)
    }
}
