/// One step of a batch of recurrent cells in float32, and the way back through it. Products with weights are the caller's, so
/// that they may be those of many steps at once; see `RecurrentCells` for the equations.
///
/// Sequences that have ended pass their state on, and give nothing to the step's gradients.
package struct RecurrentStep: Sendable {
    let kind: RecurrentCells.Kind
    let functions: [RecurrentActivation]
    let clip: Double?
    package let batch, units: Int
    /// Rows of the weights: what a sample has of each array of gates.
    let rows: Int

    package init(
        _ kind: RecurrentCells.Kind, functions: [RecurrentActivation], clip: Float?, batch: Int, units: Int
    ) {
        (self.kind, self.functions, self.clip) = (kind, functions, clip.map { Double($0) })
        (self.batch, self.units, rows) = (batch, units, kind.gates * units)
    }

    package typealias Numbers = UnsafeMutablePointer<Float>

    /// What a step has of a sequence. [batch, units], but for what is said to be otherwise.
    package struct State {
        /// Before and after.
        package var hidden, newHidden: Numbers
        /// Of LSTM alone.
        package var cell, newCell: Numbers?
        /// [batch, gates * units]: first W x, then all that enters the gates' functions.
        package var entering: Numbers
        /// [batch, gates * units]: what the functions gave. May be `entering` where there is no way back.
        package var gates: Numbers
        /// [batch, gates * units]: R h.
        package var remembered: Numbers
        /// What is multiplied with R for the new state of a GRU that resets before: r h.
        package var reset: Numbers?
        /// [2 * gates * units]: of W, then of R.
        package var biases: Numbers?
        /// [3 * units]
        package var peepholes: Numbers?

        package init(hidden: Numbers, newHidden: Numbers, entering: Numbers, gates: Numbers, remembered: Numbers) {
            (self.hidden, self.newHidden, self.entering) = (hidden, newHidden, entering)
            (self.gates, self.remembered) = (gates, remembered)
        }

        func bias(_ row: Int) -> Double { biases.map { Double($0[row]) } ?? 0 }

        func peephole(_ row: Int) -> Double { peepholes.map { Double($0[row]) } ?? 0 }
    }

    /// Stores what enters a gate and what the function makes of it.
    private func applied(_ function: RecurrentActivation, _ x: Double, _ state: State, _ place: Int) -> Double {
        let y = function.value(clip.map { min(max(x, -$0), $0) } ?? x)
        // In this order: both may lie at the same place.
        state.entering[place] = Float(x)
        state.gates[place] = Float(y)
        return Double(state.gates[place])
    }

    /// The derivative of a gate's function where it was applied.
    private func slope(_ function: RecurrentActivation, _ state: State, _ place: Int) -> Double {
        let x = Double(state.entering[place])
        if let clip, x.magnitude > clip { return 0 }
        return function.derivative(x, value: Double(state.gates[place]))
    }

    /// The step; of a GRU that resets before the product, only what comes before it.
    /// - Parameter isRunning: of a sample, whether its sequence has this step.
    package func forward(_ state: State, isRunning: (Int) -> Bool) {
        for sample in 0..<batch {
            guard isRunning(sample) else {
                for place in sample * units..<(sample + 1) * units {
                    state.newHidden[place] = state.hidden[place]
                    if let cell = state.cell { state.newCell?[place] = cell[place] }
                    state.reset?[place] = 0
                }
                continue
            }
            for unit in 0..<units { forward(state, sample, unit) }
        }
    }

    private func forward(_ state: State, _ sample: Int, _ unit: Int) {
        let place = sample * units + unit
        func gatePlace(_ gate: Int) -> Int { sample * rows + gate * units + unit }
        func input(_ gate: Int) -> Double { Double(state.entering[gatePlace(gate)]) + state.bias(gate * units + unit) }
        func memory(_ gate: Int) -> Double {
            Double(state.remembered[gatePlace(gate)]) + state.bias(rows + gate * units + unit)
        }
        switch kind {
        case .lstm(let couplesGates):
            guard let cell = state.cell, let newCell = state.newCell else { return }
            // Gates in W and R: input, output, forget, cell; in P: input, output, forget.
            let before = Double(cell[place])
            let taken = applied(
                functions[0], input(0) + memory(0) + state.peephole(unit) * before, state, gatePlace(0))
            let kept: Double
            if couplesGates {
                kept = 1 - taken
            } else {
                let seen = state.peephole(2 * units + unit) * before
                kept = applied(functions[0], input(2) + memory(2) + seen, state, gatePlace(2))
            }
            let new = applied(functions[1], input(3) + memory(3), state, gatePlace(3))
            newCell[place] = Float(kept * before + taken * new)
            let after = Double(newCell[place])
            let seen = state.peephole(units + unit) * after
            let shown = applied(functions[0], input(1) + memory(1) + seen, state, gatePlace(1))
            state.newHidden[place] = Float(shown * functions[2].value(after))
        case .gru(let resetsAfterProduct):
            let before = Double(state.hidden[place])
            let update = applied(functions[0], input(0) + memory(0), state, gatePlace(0))
            let reset = applied(functions[0], input(1) + memory(1), state, gatePlace(1))
            guard resetsAfterProduct else {
                state.reset?[place] = Float(reset * before)
                return
            }
            // Kept with its bias, for the way back.
            state.remembered[gatePlace(2)] = Float(memory(2))
            let new = applied(
                functions[1], input(2) + reset * Double(state.remembered[gatePlace(2)]), state, gatePlace(2))
            state.newHidden[place] = Float((1 - update) * new + update * before)
        case .plain:
            let new = applied(functions[0], input(0) + memory(0), state, gatePlace(0))
            state.newHidden[place] = Float(new)
        }
    }

    /// What a GRU that resets before the product does behind it.
    /// - Parameter product: [batch, units], of the reset state with the last rows of R.
    package func finishReset(_ state: State, product: Numbers, isRunning: (Int) -> Bool) {
        for sample in 0..<batch where isRunning(sample) {
            for unit in 0..<units {
                let (place, gate) = (sample * units + unit, sample * rows + 2 * units + unit)
                let memory = Double(product[place]) + state.bias(rows + 2 * units + unit)
                let x = Double(state.entering[gate]) + state.bias(2 * units + unit) + memory
                let new = applied(functions[1], x, state, gate)
                let update = Double(state.gates[sample * rows + unit])
                state.newHidden[place] = Float((1 - update) * new + update * Double(state.hidden[place]))
            }
        }
    }

    /// What flows back. [batch, units], but for what is said to be otherwise.
    package struct Flow {
        /// Of the new hidden state, all but what the caller adds as `output`: comes from the later step, by its product with
        /// R and beside it. `beside` is left with what goes to the earlier step beside the product.
        package var product, beside: Numbers
        /// Of the new cell; left with that of the earlier one.
        package var cell: Numbers?
        /// [batch, gates * units], of what entered the gates; written.
        package var entering: Numbers
        /// [batch, gates * units], of R h with its bias where that is another; written.
        package var remembered: Numbers?
        /// [3 * units]; added to.
        package var peepholes: Numbers?

        package init(product: Numbers, beside: Numbers, entering: Numbers) {
            (self.product, self.beside, self.entering) = (product, beside, entering)
        }
    }

    /// The way back through the step; of a GRU that resets before the product, only to that product.
    /// - Parameter output: of a sample whose sequence has this step, the gradient of the step's own output [units].
    package func backward(_ state: State, _ flow: Flow, isRunning: (Int) -> Bool, output: (Int) -> Numbers?) {
        for sample in 0..<batch {
            let own = isRunning(sample) ? output(sample) : nil
            for place in sample * units..<(sample + 1) * units {
                flow.beside[place] += flow.product[place] + (own.map { $0[place - sample * units] } ?? 0)
            }
            guard isRunning(sample) else {
                for place in sample * rows..<(sample + 1) * rows {
                    flow.entering[place] = 0
                    flow.remembered?[place] = 0
                }
                continue
            }
            for unit in 0..<units { backward(state, flow, sample, unit) }
        }
    }

    private func backward(_ state: State, _ flow: Flow, _ sample: Int, _ unit: Int) {
        let place = sample * units + unit
        func gatePlace(_ gate: Int) -> Int { sample * rows + gate * units + unit }
        func gate(_ gate: Int) -> Double { Double(state.gates[gatePlace(gate)]) }
        /// Stores the gradient of what enters a gate.
        func enters(_ gate: Int, _ gradient: Double, _ function: RecurrentActivation) -> Double {
            let result = gradient * slope(function, state, gatePlace(gate))
            flow.entering[gatePlace(gate)] = Float(result)
            return result
        }
        let gradient = Double(flow.beside[place])
        switch kind {
        case .lstm(let couplesGates):
            guard let cells = state.cell, let newCells = state.newCell, let ofCells = flow.cell else { return }
            let (before, after) = (Double(cells[place]), Double(newCells[place]))
            let shown = functions[2].value(after)
            let output = enters(1, gradient * shown, functions[0])
            let ofCell =
                Double(ofCells[place]) + gradient * gate(1) * functions[2].derivative(after, value: shown)
                + output * state.peephole(units + unit)
            let (taken, new) = (gate(0), gate(3))
            let kept = couplesGates ? 1 - taken : gate(2)
            var ofTaken = ofCell * new
            var forget = 0.0
            if couplesGates {
                ofTaken -= ofCell * before
                flow.entering[gatePlace(2)] = 0
            } else {
                forget = enters(2, ofCell * before, functions[0])
            }
            let input = enters(0, ofTaken, functions[0])
            _ = enters(3, ofCell * taken, functions[1])
            ofCells[place] = Float(
                ofCell * kept + input * state.peephole(unit) + forget * state.peephole(2 * units + unit))
            if let peepholes = flow.peepholes {
                peepholes[unit] += Float(input * before)
                peepholes[units + unit] += Float(output * after)
                peepholes[2 * units + unit] += Float(forget * before)
            }
            flow.beside[place] = 0
        case .gru(let resetsAfterProduct):
            let (before, update) = (Double(state.hidden[place]), gate(0))
            let ofUpdate = enters(0, gradient * (before - gate(2)), functions[0])
            let new = enters(2, gradient * (1 - update), functions[1])
            flow.beside[place] = Float(gradient * update)
            guard resetsAfterProduct else { return }
            let ofReset = enters(1, new * Double(state.remembered[gatePlace(2)]), functions[0])
            flow.remembered?[gatePlace(0)] = Float(ofUpdate)
            flow.remembered?[gatePlace(1)] = Float(ofReset)
            flow.remembered?[gatePlace(2)] = Float(new * gate(1))
        case .plain:
            _ = enters(0, gradient, functions[0])
            flow.beside[place] = 0
        }
    }

    /// The rest of the way back of a GRU that resets before the product.
    /// - Parameter product: [batch, units], the gradient of the reset state.
    package func finishResetBackward(_ state: State, _ flow: Flow, product: Numbers, isRunning: (Int) -> Bool) {
        for sample in 0..<batch where isRunning(sample) {
            for unit in 0..<units {
                let (place, gate) = (sample * units + unit, sample * rows + units + unit)
                let gradient = Double(product[place])
                let slope = slope(functions[0], state, gate)
                flow.entering[gate] = Float(gradient * Double(state.hidden[place]) * slope)
                flow.beside[place] += Float(gradient * Double(state.gates[gate]))
            }
        }
    }
}
