// Growth of a vector through N residual layers, predicted and sampled, as companion.depth.growth does it.
"use strict";
(() => {
  const STOPS = 16, WALKS = 3, LOWEST = -4, SEEDS = 0x9E3779B9;

  // mulberry32: one state that counts, so that draw k does not depend on what was drawn before
  const uniform = (seed, k) => {
    let t = Math.imul(seed, SEEDS) + Math.imul(k, 0x6D2B79F5) | 0;
    t = Math.imul(t ^ t >>> 15, t | 1);
    t ^= t + Math.imul(t ^ t >>> 7, t | 61);
    return (((t ^ t >>> 14) >>> 0) + 0.5) / 2 ** 32;
  };
  // the cosine of a random direction of d dimensions with a fixed one
  const cosine = (u, v, d) => {
    const turn = Math.cos(2 * Math.PI * v);
    if (d === 1) return Math.sign(turn);
    const wide = Math.expm1(-2 / (d - 1) * Math.log(u));
    return turn * Math.sqrt(wide / (1 + wide * turn * turn));
  };
  const decades = (log) => Math.max(log / Math.LN10, LOWEST);

  Explore.model("residual-growth", ({ depth, dim, power, along, seed }) => {
    const N = 2 ** depth, d = 2 ** dim, eps = N ** -power, share = along / 100, q = { eps, layers: N, size: d };
    const straight = (log) => [0, 1].map((part) => [part, decades(part * log)]);
    const end = { one: N * Math.log1p(eps), many: N / 2 * Math.log1p(eps * eps) };
    for (const name in end) { q[name] = straight(end[name]); q[`${name}_end`] = decades(end[name]); }
    const ends = [];
    for (let walk = 0; walk < WALKS; walk++) {
      let log = 0;
      const points = [[0, 0]];
      for (let layer = 1; layer <= N; layer++) {
        const k = 3 * (walk * N + layer - 1) + 1;
        let c = cosine(uniform(seed, k), uniform(seed, k + 1), d);
        if (uniform(seed, k + 2) < share) c = Math.abs(c);
        log += Math.log(Math.max(0, 1 + 2 * eps * c + eps * eps)) / 2;
        if (layer * STOPS % N === 0) points.push([layer / N, decades(log)]);
      }
      q[`walk${walk}`] = points;
      ends.push(decades(log));
    }
    return { ...q, low: Math.min(...ends), high: Math.max(...ends) };
  });
})();
