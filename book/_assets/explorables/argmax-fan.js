// Words as points of the plane: their hull, and who wins on the circle ‖z‖ = r, as
// companion.argmax.plane computes it.
"use strict";
(() => {
  const FULL = 2 * Math.PI, CENTRE = [1, 1], INNER = 1.95, OUTER = 2.2, STEPS = 15, NARROW = 1e-9;
  const cross = (a, b, c) => (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]);
  // rounded first, so that what should be 0 is
  const turn = (angle) => { const t = Math.floor(angle * 1e12 + 0.5) / 1e12 % FULL; return t < 0 ? t + FULL : t; };
  const choose = (list, count) => count === 0 ? [[]] : list.flatMap((one, i) => choose(list.slice(i + 1), count - 1).map((rest) => [one, ...rest]));

  function hull(points) { // Andrew: the lower side, then the upper one
    const order = [...points].sort((a, b) => a[0] - b[0] || a[1] - b[1]);
    const corners = [order, [...order].reverse()].flatMap((run) => {
      const chain = [];
      for (const point of run) {
        while (chain.length > 1 && cross(chain.at(-2), chain.at(-1), point) <= 0) chain.pop();
        if (!chain.length || chain.at(-1)[0] !== point[0] || chain.at(-1)[1] !== point[1]) chain.push(point);
      }
      return chain.slice(0, -1);
    });
    return corners.length ? corners : [order[0]];
  }

  function distance(point, others) { // from the hull of others
    for (const [a, b, c] of choose(others, 3)) {
      const turns = [cross(a, b, point), cross(b, c, point), cross(c, a, point)];
      if (cross(a, b, c) && (Math.min(...turns) >= 0 || Math.max(...turns) <= 0)) return 0;
    }
    return Math.min(...choose(others, 2).map(([a, b]) => {
      const way = [b[0] - a[0], b[1] - a[1]], square = way[0] ** 2 + way[1] ** 2;
      const along = (point[0] - a[0]) * way[0] + (point[1] - a[1]) * way[1];
      const share = square ? Math.min(1, Math.max(0, along / square)) : 0;
      return Math.hypot(point[0] - a[0] - share * way[0], point[1] - a[1] - share * way[1]);
    }));
  }

  function arcs(points, word, bias, radius) { // [start, width] of each arc on which a word wins
    const limits = [];
    for (let i = 0; i < points.length; i++) {
      if (i === word) continue;
      const dx = points[word][0] - points[i][0], dy = points[word][1] - points[i][1];
      const reach = radius * Math.hypot(dx, dy), lead = bias[word] - bias[i];
      if (lead > reach) continue;
      if (lead <= -reach) return [];
      limits.push([Math.atan2(dy, dx), Math.acos(-lead / reach)]);
    }
    if (!limits.length) return [[0, FULL]];
    const ends = limits.flatMap(([middle, half]) => [turn(middle - half), turn(middle + half)]).sort((a, b) => a - b);
    return ends.map((start, i) => [start, (i + 1 < ends.length ? ends[i + 1] : ends[0] + FULL) - start])
      .filter(([start, width]) => width > NARROW && limits.every(([m, half]) => Math.abs(turn(start + width / 2 - m + Math.PI) - Math.PI) < half));
  }

  const spot = (angle, reach) => [CENTRE[0] + reach * Math.cos(angle), CENTRE[1] + reach * Math.sin(angle)];
  const sector = (arc) => {
    if (!arc) return [];
    const angles = Array.from({ length: STEPS + 1 }, (_, i) => arc[0] + arc[1] * i / STEPS);
    return [...angles.map((a) => spot(a, OUTER)), ...angles.reverse().map((a) => spot(a, INNER))];
  };

  Explore.model("argmax-fan", ({ x5, y5, x1, y1, x2, y2, bias, radius }) => {
    const words = [[x1, y1], [x2, y2], [1, 0], [0, 1], [x5, y5]], biases = [0, 0, 0, 0, bias], q = { hull: hull(words) };
    words.forEach((word, k) => {
      const n = k + 1, won = arcs(words, k, biases, radius), [x, y] = word;
      q[`w${n}`] = word;
      q[`far${n}`] = distance(word, words.filter((_, i) => i !== k));
      q[`share${n}`] = 100 * won.reduce((sum, arc) => sum + arc[1], 0) / FULL;
      for (let slot = 0; slot < (n === 5 ? 4 : 2); slot++) q[`arc${n}${"abcd"[slot]}`] = sector(won[slot]);
      q[`spoke${n}`] = won.length ? [word, spot(won[0][0] + won[0][1] / 2, INNER)] : [];
      q[`never${n}`] = won.length ? [] : [[x - .09, y - .09], [x + .09, y + .09], word, [x - .09, y + .09], [x + .09, y - .09]];
    });
    return { ...q, lead5: radius * q.far5 + bias, r: radius };
  });
})();
