// Attention over n random scores: who gets it, and its entropy under three laws of scale.
"use strict";
(() => {
  const BASE = 512, FIRST = 4, LAST = 12, EDGE = 4.5, BINS = 18, LAWS = ["usual", "log", "root"];
  const up = (score, share) => [0.1 + 0.89 * (score + EDGE) / (2 * EDGE), 0.12 + 0.6 * share];
  const down = (power, entropy) => [0.1 + 0.89 * (power - FIRST) / (LAST - FIRST), 0.8 * entropy / 8.5 - 0.95];
  const formula = (n, spread) => Math.max(0, Math.log(n) - spread * spread / 2);

  // standard normal numbers, by Box and Muller on mulberry32: as companion.attention.entropy draws them
  const uniform = (seed, k) => {
    let t = Math.imul(seed, 0x9E3779B9) + Math.imul(k, 0x6D2B79F5) | 0;
    t = Math.imul(t ^ t >>> 15, t | 1);
    t ^= t + Math.imul(t ^ t >>> 7, t | 61);
    return (((t ^ t >>> 14) >>> 0) + 0.5) / 2 ** 32;
  };
  const normal = (seed, i) =>
    Math.sqrt(-2 * Math.log(uniform(seed, 2 * i + 1))) * Math.cos(2 * Math.PI * uniform(seed, 2 * i + 2));

  function scale(law, n, spread) {
    const log = Math.log(n), start = Math.log(BASE), held = formula(BASE, spread);
    if (law === "usual") return 1;
    return law === "log" ? log / start : Math.sqrt(Math.max(0, log - held) / (start - held));
  }
  function weights(scores, n, spread) {
    let largest = -Infinity, sum = 0;
    for (let i = 0; i < n; i++) largest = Math.max(largest, scores[i]);
    const found = new Float64Array(n);
    for (let i = 0; i < n; i++) sum += found[i] = Math.exp(spread * (scores[i] - largest));
    for (let i = 0; i < n; i++) found[i] /= sum;
    return found;
  }
  const entropy = (shares) => shares.reduce((sum, a) => a > 0 ? sum - a * Math.log(a) : sum, 0);
  function staircase(scores, n, shares) {
    const bins = new Float64Array(BINS), width = 2 * EDGE / BINS;
    for (let i = 0; i < n; i++) {
      bins[Math.min(BINS - 1, Math.max(0, Math.floor((scores[i] + EDGE) / width)))] += shares ? shares[i] : 1 / n;
    }
    const steps = [...bins].flatMap((h, b) => [up(b * width - EDGE, h), up((b + 1) * width - EDGE, h)]);
    return [up(-EDGE, 0), ...steps, up(EDGE, 0)];
  }

  Explore.model("alpha-entropy", ({ power, law, sharp, seed }) => {
    const n = 2 ** power, scores = Float64Array.from({ length: 2 ** LAST }, (_, i) => normal(seed, i));
    const found = { n, freezing: Math.sqrt(2 * Math.log(n)) };
    for (const name of LAWS) {
      const line = [];
      for (let k = FIRST; k <= LAST; k++) {
        line.push(down(k, entropy(weights(scores, 2 ** k, sharp * scale(name, 2 ** k, sharp)))));
      }
      const spread = sharp * scale(name, n, sharp), shares = weights(scores, n, spread), h = entropy(shares);
      Object.assign(found, {
        [`${name}_line`]: line, [`${name}_spread`]: spread, [`${name}_entropy`]: h,
        [`${name}_keys`]: Math.exp(h), [`${name}_formula`]: formula(n, spread),
      });
      if (name === LAWS[law]) Object.assign(found, { here: down(power, h), attention: staircase(scores, n, shares) });
    }
    return { ...found, keys: staircase(scores, n, null) };
  });
})();
