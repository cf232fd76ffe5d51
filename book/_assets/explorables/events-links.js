// Eight arguments of one sentence, the links between them, and the events decoded from the links.
"use strict";
(() => {
  const COUNT = 8, ROWS = 7, STEPS = 16;
  const fixed = [[0, 1], [0, 2], [4, 5], [4, 6], [4, 7], [5, 6]];
  const toggled = {
    ab: [1, 2], bc: [2, 3], ac: [1, 3], mc: [0, 3], oe: [5, 7], de: [6, 7], co: [3, 5], cd: [3, 6],
  };
  const truth = [[0, 1, 2], [0, 1, 3], [0, 2, 3], [4, 5, 6, 7]];
  const bits = (nodes) => nodes.reduce((mask, node) => mask | 1 << node, 0);
  const nodes = (mask) => [...Array(COUNT).keys()].filter((node) => mask >> node & 1);

  // all 255 sets of arguments are looked at: a clique is maximal when no further one is linked to all of it
  function cliques(links) {
    const near = Array(COUNT).fill(0);
    for (const [a, b] of links) { near[a] |= 1 << b; near[b] |= 1 << a; }
    const common = (mask) => nodes(mask).reduce((all, node) => all & near[node], 255);
    const complete = (mask) => nodes(mask).every((node) => ((near[node] | 1 << node) & mask) === mask);
    const maximal = (mask) => mask > 0 && complete(mask) && common(mask) === 0;
    const found = [...Array(1 << COUNT).keys()].filter(maximal).map(nodes);
    const word = (clique) => clique.join("");
    return found.sort((a, b) => word(a) < word(b) ? -1 : 1);
  }

  const arc = ([a, b]) => [...Array(STEPS + 1).keys()].map((k) => {
    const turn = Math.PI * k / STEPS;
    return [(a + b) / 2 - (b - a) / 2 * Math.cos(turn), 0.4 * (b - a) * Math.sin(turn)];
  });
  // one outline around the beads of an event: over them and back under them
  function beads(members, row) {
    const y = -1.15 - 0.5 * row, over = members.flatMap((x) => [[x - 0.16, y], [x, y + 0.16], [x + 0.16, y]]);
    return [...over, ...[...members].reverse().flatMap((x) => [[x + 0.16, y], [x, y - 0.16], [x - 0.16, y]])];
  }

  Explore.model("events-links", (settings) => {
    const on = Object.entries(toggled).filter(([name]) => settings[name] > 0.5);
    const links = [...fixed, ...on.map(([, pair]) => pair)];
    const found = cliques(links), sought = new Set(truth.map(bits)), q = {};
    const right = found.filter((clique) => sought.has(bits(clique))).length;
    for (const name in toggled) q[`arc_${name}`] = settings[name] > 0.5 ? arc(toggled[name]) : [];
    for (let row = 0; row < ROWS; row++) {
      const members = found[row] ?? [], held = sought.has(bits(members)), path = beads(members, row);
      q[`right${row}`] = held ? path : [];
      q[`wrong${row}`] = held ? [] : path;
    }
    return { ...q, links: links.length, found: found.length, right, wrong: found.length - right, lost: truth.length - right };
  });
})();
