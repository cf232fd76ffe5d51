// Mixed chunk attention: who sees whom, and what a token costs, for n tokens in chunks of c.
"use strict";
(() => {
  const s = 128, e = 1536, longest = 4096;
  const spot = (n, cost) => [0.09 + 0.9 * n / longest, 0.45 * cost / 16 - 0.66];
  const quadratic = (n) => 2 * n * (s + e) / 1e6, linear = 4 * s * e / 1e6;

  // the blocks on the diagonal as one polygon (causal: their lower triangles), and what lies below
  function staircase(n, c, causal) {
    const steps = [];
    for (let first = 0; first < n; first += c) steps.push([first / n, Math.min(first + c, n) / n]);
    const along = ([a, b]) => [[a, 1 - b], [b, 1 - b]], back = ([a, b]) => [[b, 1 - a], [a, 1 - a]];
    const below = steps.flatMap(along), last = steps[steps.length - 1][0];
    if (!causal) return [[...below, ...[...steps].reverse().flatMap(back)], [[0, 0], [0, 1], [1, 1], [1, 0]]];
    return [[[0, 1], ...below], [...steps.slice(0, -1).flatMap(along), [last, 0], [0, 0]]];
  }

  Explore.model("flash-chunks", ({ n, c, causal }) => {
    const [blocks, rest] = staircase(n, c, causal);
    const local = quadratic(Math.min(c, n)), total = local + linear, full = quadratic(c) + linear;
    const crossing = c + 2 * s * e / (s + e), meet = spot(crossing, quadratic(crossing));
    return {
      blocks, rest: n > c ? rest : [],
      gau_line: [spot(0, 0), spot(longest, quadratic(longest))],
      flash_line: [spot(0, linear), spot(c, full), spot(longest, full)],
      gau: spot(n, quadratic(n)), flash: spot(n, total), meet, foot: spot(crossing, 0),
      crossing, quadratic: quadratic(n), local, linear, total, ratio: quadratic(n) / total,
    };
  });
})();
