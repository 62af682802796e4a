/**
 * BuildKit's check for circles. It follows what stages copy and mount, not what they are based on (those edges only ever
 * lead upwards in the file), and names the first stage from which a circle can be reached, on it or not.
 * Source: https://github.com/moby/buildkit/blob/v0.25.0/frontend/dockerfile/dockerfile2llb/convert.go
 * (validateCircularDependency)
 */

/** A dependency, with the line that makes it. */
export interface Dependency {
  readonly stage: number
  readonly line: number
}

export interface Circle {
  /** The stage that BuildKit names. */
  readonly stage: number
  /** The line whose dependency closes the circle. */
  readonly line: number
}

/** The circle that BuildKit would report; undefined where there is none. */
export function findCircle(dependencies: readonly (readonly Dependency[])[]): Circle | undefined {
  const state = new Uint8Array(dependencies.length)
  const OPEN = 1
  const DONE = 2
  for (let root = 0; root < dependencies.length; root++) {
    if (state[root] !== 0) continue
    const stack = [{ stage: root, next: 0 }]
    state[root] = OPEN
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      const dependency = dependencies[top.stage]?.[top.next++]
      if (dependency === undefined) {
        state[top.stage] = DONE
        stack.pop()
      } else if (state[dependency.stage] === OPEN) {
        return { stage: root, line: dependency.line }
      } else if (state[dependency.stage] === 0) {
        state[dependency.stage] = OPEN
        stack.push({ stage: dependency.stage, next: 0 })
      }
    }
  }
  return undefined
}
