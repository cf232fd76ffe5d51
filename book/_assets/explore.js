// Makes the figures of companion.explore react on the page. Python has drawn them; this file finds
// their parts, and moves them. It repeats the geometry of companion/explore/picture.py and
// labels.py: the two must change together, and the tests compare what they draw.
"use strict";
const Explore = (() => {
  const models = {};
  const figures = {};
  const here = document.currentScript.src;

  // ---- numbers and words, as in quantities.py
  const pixel = (v) => String(Math.floor(v * 10 + 0.5) / 10 + 0);
  const fixed = (value, decimals) => {
    const scale = 10 ** decimals;
    return (Math.floor(value * scale + 0.5) / scale + 0).toFixed(decimals).replace("-", "−");
  };
  const fill = (template, q) => template.replace(/\{(\w+)(?::(\d))?\}/g, (_, name, decimals) => {
    const value = q[name], digits = Number(decimals ?? 2);
    return Array.isArray(value) ? `(${fixed(value[0], digits)}, ${fixed(value[1], digits)})` : fixed(value, digits);
  });

  // ---- geometry, as in picture.py
  const trace = (points) => points.length ? "M" + points.map(([x, y]) => `${pixel(x)} ${pixel(y)}`).join("L") : "";
  const ring = ([x, y], r) =>
    `M${pixel(x - r)} ${pixel(y)}a${pixel(r)} ${pixel(r)} 0 1 0 ${pixel(2 * r)} 0a${pixel(r)} ${pixel(r)} 0 1 0 ${pixel(-2 * r)} 0Z`;
  const arrow = (start, end, width) => {
    const dx = end[0] - start[0], dy = end[1] - start[1], length = Math.hypot(dx, dy);
    if (length < 2) return ["", ring(start, 3 + width)];
    const head = Math.min(5 + 3 * width, 0.7 * length), half = 0.42 * head;
    const ex = dx / length, ey = dy / length, foot = [end[0] - ex * head, end[1] - ey * head];
    const left = [foot[0] - ey * half, foot[1] + ex * half], right = [foot[0] + ey * half, foot[1] - ex * half];
    return [trace([start, foot]), trace([end, left, right]) + "Z"];
  };
  const place = (where, q) => typeof where === "string" ? q[where] : where;
  const mapping = ({ x, y, frame: [left, top, right, bottom] }) => ([px, py]) => [
    left + (px - x[0]) / (x[1] - x[0]) * (right - left), bottom - (py - y[0]) / (y[1] - y[0]) * (bottom - top)];
  const paths = {
    arrow: (m, at) => arrow(at(m.start), at(m.to), m.width),
    point: (m, at) => [ring(at(m.at), m.radius)],
    segment: (m, at) => [trace([at(m.start), at(m.end)])],
    line: (m, at) => [trace(at(m.points))],
    area: (m, at) => { const p = at(m.points); return [p.length ? trace(p) + "Z" : ""]; },
    text: () => [], raster: () => [],
  };

  // ---- where labels stand, as in labels.py
  const anchor = (m, at) => {
    if (m.kind === "arrow") {
      const start = at(m.start), end = at(m.to), length = Math.hypot(end[0] - start[0], end[1] - start[1]);
      const way = length < 2 ? [Math.SQRT1_2, Math.SQRT1_2] : [(end[0] - start[0]) / length, (end[1] - start[1]) / length];
      return [end, way];
    }
    if (m.kind === "point") return [at(m.at), [0, -1]];
    const p = at(m.points);
    if (!p.length) return null;
    if (m.kind === "line") return [p[p.length - 1], [0, -1]];
    return [[0, 1].map((i) => p.reduce((sum, v) => sum + v[i], 0) / p.length), [0, -1]];
  };
  const meet = (a, b) => a[0] < b[2] && b[0] < a[2] && a[1] < b[3] && b[1] < a[3];
  const free = ([[x, y], [ex, ey]], width, frame, taken) => {
    const gap = 15, line = 20;
    const spots = [[ex, ey, gap], [-ey, ex, gap], [ey, -ex, gap], [-ex, -ey, gap], [ex, ey, gap + line]].map(([dx, dy, far]) => {
      const reach = far + Math.abs(dx) * width / 2 + Math.abs(dy) * line / 2;
      const cx = Math.min(Math.max(x + dx * reach, frame[0] + width / 2), frame[2] - width / 2);
      const cy = Math.min(Math.max(y + dy * reach, frame[1] + line / 2), frame[3] - line / 2);
      return [[cx, cy], [cx - width / 2, cy - line / 2, cx + width / 2, cy + line / 2]];
    });
    return spots.find(([, box]) => !taken.some((other) => meet(box, other))) ?? spots[0];
  };
  const arranged = (marks, at, frame) => {
    const anchors = marks.map((m) => m.label && m.kind !== "text" ? anchor(m, at) : null);
    const taken = anchors.filter(Boolean).map(([[x, y]]) => [x - 9, y - 9, x + 9, y + 9]);
    return anchors.map((a, i) => {
      if (!a) return null;
      const [spot, box] = free(a, 9.5 * marks[i].label.length, frame, taken);
      taken.push(box);
      return spot;
    });
  };

  // ---- what both kinds share: knobs, outputs, the reset button
  function prepare(figure) {
    const panel = figure.querySelector(".explorable-knobs");
    const inputs = [...panel.querySelectorAll("input")];
    const readouts = figure.querySelector(".explorable-readouts");
    // What the picture shows now describes it. Its lines are announced; a table, whose numbers
    // would come without their heads, is there to be read.
    readouts.id = `${figure.id}-readouts`;
    figure.querySelector(".explorable-svg").setAttribute("aria-describedby", `${figure.id}-about ${readouts.id}`);
    for (const table of readouts.querySelectorAll("table")) table.setAttribute("aria-live", "off");
    const reset = panel.querySelector(".explorable-reset"); // a page has several
    reset.setAttribute("aria-label", `${reset.textContent}: ${figure.querySelector(".explorable-title").textContent}`);
    let calm;
    return {
      inputs,
      say(input, text) {
        input.setAttribute("aria-valuetext", text);
        panel.querySelector(`output[for="${input.id}"]`).textContent = text;
        // colours the part of the track that lies before the thumb
        input.style.setProperty("--at", (input.value - input.min) / (input.max - input.min));
      },
      hush() { // a screen reader hears the readouts when the reader pauses, not at every pixel
        readouts.setAttribute("aria-busy", "true");
        clearTimeout(calm);
        calm = setTimeout(() => readouts.removeAttribute("aria-busy"), 400);
      },
      open(update) {
        for (const input of inputs) {
          input.value = input.defaultValue; // a reload must not keep half of the old setting
          input.addEventListener("input", () => update());
        }
        reset.addEventListener("click", () => {
          for (const input of inputs) input.value = input.defaultValue;
          update();
        });
        panel.hidden = false;
        figure.classList.add("explorable-ready");
        update();
        readouts.removeAttribute("aria-busy");
      },
    };
  }

  // ---- a slider, or two, through frames that are all there
  function startFrames(figure, data) {
    const parts = prepare(figure);
    const groups = [...figure.querySelectorAll("[data-frame]")];
    const readouts = figure.querySelector(".explorable-readouts");
    const lines = data.readouts.some((said) => said.length);
    parts.open(() => {
      let index = 0;
      parts.inputs.forEach((input, i) => {
        index = index * data.stops[i].length + Number(input.value);
        parts.say(input, data.stops[i][input.value]);
      });
      groups.forEach((group, i) => i === index ? group.removeAttribute("display") : group.setAttribute("display", "none"));
      if (!lines) return;
      parts.hush();
      readouts.replaceChildren(...data.readouts[index].map((text) => {
        const line = document.createElement("p");
        line.textContent = text;
        return line;
      }));
    });
  }

  // ---- a plane that is computed anew
  function startPlane(figure, data) {
    const parts = prepare(figure), at = mapping(data.view), model = models[data.client];
    const svg = figure.querySelector(".explorable-svg");
    const marks = [...svg.querySelectorAll("[data-mark]")], fields = [...figure.querySelectorAll("[data-template]")];
    const words = {};
    for (const element of svg.querySelectorAll("[data-label]")) words[element.dataset.label] = element;
    const grips = [...svg.querySelectorAll("[data-handle]")];

    function put(element, [x, y]) { element.setAttribute("x", pixel(x)); element.setAttribute("y", pixel(y)); }
    function update() {
      const settings = {};
      data.knobs.forEach((knob, i) => {
        const value = settings[knob.name] = Number(parts.inputs[i].value);
        parts.say(parts.inputs[i], fixed(value, knob.decimals) + (["", "°", "%"].includes(knob.unit) ? "" : " ") + knob.unit);
      });
      const q = model(settings);
      const spot = (where) => {
        const value = place(where, q);
        return Array.isArray(value[0]) || !value.length ? value.map(at) : at(value);
      };
      data.marks.forEach((mark, i) => {
        if (mark.label === undefined) return; // never changes
        paths[mark.kind](mark, spot).forEach((d, j) => marks[i].children[j].setAttribute("d", d));
        if (mark.kind === "text") {
          put(words[i], spot(mark.at));
          if (mark.template) words[i].textContent = fill(mark.label, q);
        }
      });
      arranged(data.marks, spot, data.view.frame).forEach((xy, i) => {
        if (!words[i] || data.marks[i].kind === "text") return;
        if (xy) words[i].removeAttribute("display"); else words[i].setAttribute("display", "none");
        put(words[i], xy ?? [0, 0]);
      });
      grips.forEach((grip, i) => {
        const [x, y] = at(q[data.handles[i].point]);
        grip.setAttribute("transform", `translate(${pixel(x)} ${pixel(y)})`);
      });
      parts.hush();
      for (const field of fields) {
        const text = fill(field.dataset.template, q);
        if (text !== field.textContent) field.textContent = text;
        field.toggleAttribute("data-negative", text.startsWith("−"));
      }
    }
    grips.forEach((grip, i) => drag(grip, data.handles[i]));

    // A handle sets its two range inputs, which stay the one place where the setting is kept.
    function drag(grip, handle) {
      const pair = handle.knobs.map((name) => parts.inputs[data.knobs.findIndex((knob) => knob.name === name)]);
      const { x, y, frame: [left, top, right, bottom] } = data.view;
      grip.removeAttribute("display");
      grip.addEventListener("pointerdown", (event) => {
        if (event.button !== 0) return;
        event.preventDefault();
        grip.setPointerCapture(event.pointerId);
        grip.classList.add("explorable-held");
        pair[0].focus({ preventScroll: true }); // the arrow keys go on where the hand lets go
      });
      for (const end of ["pointerup", "pointercancel"]) grip.addEventListener(end, () => grip.classList.remove("explorable-held"));
      grip.addEventListener("pointermove", (event) => {
        if (!grip.hasPointerCapture(event.pointerId)) return;
        const spot = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
        const px = x[0] + (spot.x - left) / (right - left) * (x[1] - x[0]);
        const py = y[0] + (bottom - spot.y) / (bottom - top) * (y[1] - y[0]);
        const values = handle.polar ? [turned(Math.atan2(py, px) * 180 / Math.PI, pair[0]), Math.hypot(px, py)] : [px, py];
        pair.forEach((input, j) => { input.value = values[j]; }); // the input itself snaps and clamps
        update();
      });
    }
    // the same direction as an angle that the input can take, if there is one, else its nearer end
    function turned(angle, input) {
      const low = Number(input.min), high = Number(input.max), up = ((angle - low) % 360 + 360) % 360;
      return low + up <= high ? low + up : (up - (high - low) < 360 - up ? high : low);
    }
    parts.open(update);
  }

  // ---- agreement with Python: largest deviation of a figure, relative to the size of each quantity
  const flat = (value) => [value].flat(Infinity);
  function deviation({ client, checks }) {
    const size = {};
    for (const [, found] of checks) {
      for (const name in found) size[name] = Math.max(size[name] ?? 1e-9, ...flat(found[name]).map(Math.abs));
    }
    let worst = 0;
    for (const [settings, expected] of checks) {
      const q = models[client](settings);
      for (const name in expected) {
        const a = flat(q[name] ?? []), b = flat(expected[name]);
        if (a.length !== b.length) return Infinity;
        b.forEach((value, i) => {
          const off = Math.abs(a[i] - value) / size[name];
          worst = off <= worst ? worst : off; // NaN is taken over, and no later value removes it
        });
      }
    }
    return worst;
  }

  // A model is the file explorables/<client>.js beside this one, asked for by the first figure.
  const asked = {};
  const load = (client) => asked[client] ??= new Promise((done, fail) => {
    const script = document.createElement("script");
    script.src = new URL(`explorables/${client}.js`, here).href;
    script.onload = () => models[client] ? done() : fail(new Error(`explorables/${client}.js registers no model "${client}"`));
    script.onerror = () => fail(new Error(`explorables/${client}.js cannot be read`));
    document.head.append(script);
  });
  async function start(figure) {
    const data = JSON.parse(figure.querySelector(":scope > script").textContent);
    if (figure.dataset.explorable === "frames") return startFrames(figure, data);
    if (!models[data.client]) await load(data.client);
    figures[figure.id] = data;
    return startPlane(figure, data);
  }
  const parsed = new Promise((done) => {
    if (document.readyState !== "loading") done();
    else document.addEventListener("DOMContentLoaded", done);
  });
  const ready = parsed.then(() => Promise.all([...document.querySelectorAll("figure.explorable")].map(start)));

  return {
    /** Register what computes the quantities of a figure from its knobs. */
    model(name, compute) { models[name] = compute; },
    /** A promise that every figure of the page reacts. */
    ready,
    /** The quantities of a model at a setting of the knobs. */
    evaluate: (name, knobs) => models[name](knobs),
    /** For each computed figure of the page, how far its model is from what Python found. */
    async selfTest() {
      await ready;
      return Object.fromEntries(Object.entries(figures).map(([id, data]) => [id, deviation(data)]));
    },
  };
})();
