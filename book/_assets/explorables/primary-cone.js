// Two auxiliary gradients beside the primary one, in the plane: every quantity by cases, exactly.
"use strict";
(() => {
  const dot = (a, b) => a[0] * b[0] + a[1] * b[1];
  const cross = (a, b) => a[0] * b[1] - a[1] * b[0];
  const add = (a, s, b) => [a[0] + s * b[0], a[1] + s * b[1]];
  const ray = (degrees, length) => {
    const angle = degrees * Math.PI / 180;
    // opposite directions must come out exactly opposite
    return [Math.cos(angle), Math.sin(angle)].map((v) => length * (Math.round(v * 1e12) / 1e12));
  };

  // u = g0 + λ1 g1 + λ2 g2, the projection of g0 on {v: <g1,v> >= 0, <g2,v> >= 0}
  function multipliers(g0, g1, g2) {
    const [n0, n1, n2] = [g0, g1, g2].map((g) => Math.hypot(...g));
    const allowed = (g, n, v) => dot(g, v) >= -1e-9 * n * n0;
    if (allowed(g1, n1, g0) && allowed(g2, n2, g0)) return [0, 0]; // neither conflicts
    const one = Math.max(0, -dot(g0, g1)) / (n1 * n1 || 1), two = Math.max(0, -dot(g0, g2)) / (n2 * n2 || 1);
    const single = [[one, 0], [0, two]];
    if (n2 > n1) single.reverse(); // parallel: the longer one carries the multiplier
    for (const [a, b] of single) { // on the edge of one half-plane
      const v = add(add(g0, a, g1), b, g2);
      if (allowed(g1, n1, v) && allowed(g2, n2, v)) return [a, b];
    }
    const area = cross(g1, g2); // on both edges: in the corner, u = 0
    return [-cross(g0, g2) / area, cross(g0, g1) / area];
  }

  // the point of the triangle g0 g1 g2 that is nearest to 0
  function shortest(g0, g1, g2) {
    const turns = [cross(g0, g1), cross(g1, g2), cross(g2, g0)];
    const area = turns[0] + turns[1] + turns[2];
    if (area !== 0 && turns.every((turn) => turn * area > 0)) return [0, 0];
    const nearest = ([a, b]) => {
      const way = add(b, -1, a), length = dot(way, way);
      return add(a, length ? Math.min(1, Math.max(0, -dot(a, way) / length)) : 0, way);
    };
    return [[g0, g1], [g1, g2], [g2, g0]].map(nearest).reduce((a, b) => dot(b, b) < dot(a, a) ? b : a);
  }

  // the cone as a fan of seven points far outside the picture, and its tip; a line when g1 = -g2
  function fan(angle1, angle2) {
    const turn = ((angle2 - angle1 + 180) % 360 + 360) % 360 - 180; // at least -180, less than 180
    const first = (turn >= 0 ? angle2 : angle1) - 90, width = 180 - Math.abs(turn);
    const tip = turn === -180 ? ray(first + 180, 9) : [0, 0];
    return [tip, ...[0, 1, 2, 3, 4, 5, 6].map((i) => ray(first + width * i / 6, 9))];
  }

  Explore.model("primary-cone", ({ angle1, length1, angle2, length2 }) => {
    const g0 = [0, 1], g1 = ray(angle1, length1), g2 = ray(angle2, length2);
    const [lambda1, lambda2] = multipliers(g0, g1, g2);
    const steps = { u: add(add(g0, lambda1, g1), lambda2, g2), mgda: shortest(g0, g1, g2), sum: add(add(g0, 1, g1), 1, g2) };
    const quantities = { g0, g1, g2, lambda1, lambda2, cone: fan(angle1, angle2), ...steps };
    for (const name in steps) [g0, g1, g2].forEach((g, i) => { quantities[`${name}${i}`] = dot(g, steps[name]); });
    return quantities;
  });
})();
