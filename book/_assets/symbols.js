// What a symbol means, shown beside it: with the mouse, by touch, and from the keyboard. A script of
// the chapter, symbols/<chapter>.js, has put the rows of the page "Notation" into symbolMeanings.
(function () {
  "use strict";
  const article = document.querySelector(".bd-article");
  const LETTER = 'mjx-math [class*="sym-"]';

  function add(name, attributes) {
    const element = document.createElement(name);
    for (const key in attributes) element.setAttribute(key, attributes[key]);
    document.getElementById("main-content").append(element);
    return element;
  }
  const tip = add("div", { id: "symbol-tip", class: "symbol-tip", role: "tooltip", hidden: "" });
  const hint = add("div", { id: "symbol-hint", hidden: "" });
  hint.textContent = "Arrow keys walk through the symbols.";
  const voice = add("div", { class: "symbol-voice visually-hidden", role: "status" });

  const numberOf = (letter) => /\bsym-(\d+)/.exec(letter.getAttribute("class"))[1];
  const letterAt = (event) => event.target.closest?.(LETTER);
  let here = null; // the letter whose meaning is shown
  let held = false; // it stays when the pointer goes
  let leaving;

  // A formula that is a stop is described by its symbol, or by how to reach one.
  function describe(letter, words) {
    letter.closest("mjx-container[role]")?.setAttribute("aria-describedby", words.id);
  }
  function hide() {
    clearTimeout(leaving);
    if (!here) return;
    describe(here, hint);
    for (const letter of article.querySelectorAll(".symbol-lit")) letter.classList.remove("symbol-lit", "symbol-here");
    tip.hidden = true;
    voice.textContent = "";
    here = null;
    held = false;
  }

  function show(letter) {
    if (letter === here) return clearTimeout(leaving);
    hide();
    here = letter;
    const number = numberOf(letter), [name, meaning] = symbolMeanings[number];
    for (const same of article.querySelectorAll(`mjx-math .sym-${number}`)) same.classList.add("symbol-lit");
    letter.classList.add("symbol-here");
    tip.innerHTML = `<span class="symbol-name">${name}</span><span>${meaning}</span>`;
    tip.hidden = false;
    describe(letter, tip);
    place(letter.getBoundingClientRect());
  }

  // Below the letter, or above it where there is no room; never beyond an edge of the window.
  function place(letter) {
    const edge = 8, gap = 10, width = document.documentElement.clientWidth;
    tip.style.left = "0";
    const box = tip.getBoundingClientRect();
    const left = Math.max(edge, Math.min(letter.left + letter.width / 2 - box.width / 2, width - box.width - edge));
    const above = letter.bottom + gap + box.height > window.innerHeight && letter.top > box.height + gap;
    const top = above ? letter.top - gap - box.height : letter.bottom + gap;
    const origin = tip.offsetParent.getBoundingClientRect();
    tip.style.left = `${left - origin.left}px`;
    tip.style.top = `${top - origin.top}px`;
  }

  // The mouse shows while it is there, also above what it shows; a click or a tap holds it.
  const leave = () => { if (!held) leaving = setTimeout(hide, 250); };
  article.addEventListener("pointerover", (event) => {
    const letter = letterAt(event);
    if (letter && event.pointerType !== "touch" && !held) show(letter);
  });
  article.addEventListener("pointerout", (event) => { if (letterAt(event)) leave(); });
  tip.addEventListener("pointerenter", () => clearTimeout(leaving));
  tip.addEventListener("pointerleave", leave);
  document.addEventListener("click", (event) => {
    const letter = article.contains(event.target) && letterAt(event);
    if (letter) {
      show(letter);
      held = true;
    } else if (!tip.contains(event.target)) {
      hide();
    }
  });

  // ---- the keyboard: all formulas are one walk. Each display formula is a stop of Tab, those within
  // lines are not, or a page would have hundreds; the arrow keys lead from symbol to symbol, and
  // from the last of a formula to the first of the next one.
  const KEY = "F8";
  const steps = { ArrowRight: 1, ArrowLeft: -1 };
  const formulas = [...article.querySelectorAll("mjx-container")].filter((formula) =>
    formula.querySelector(LETTER) && !formula.closest("a, button, summary"));
  const isStop = (formula) => formula.parentElement.matches("div.math");
  const isSeen = (formula) => formula.checkVisibility({ opacityProperty: true, visibilityProperty: true });

  function lettersOf(formula) {
    return [...formula.querySelectorAll(LETTER)].filter((letter) => {
      const base = letter.closest("mjx-script")?.previousElementSibling; // an index of the same symbol
      return !base?.matches(`.sym-${numberOf(letter)}`);
    });
  }
  // What a screen reader says of a formula that has the focus; without it, one within a line is text.
  function label(formula) {
    const number = formula.parentElement.querySelector(".eqno")?.firstChild.textContent ?? "";
    formula.setAttribute("role", "group");
    formula.setAttribute("aria-label", `Formula ${number}`.trim());
    formula.setAttribute("aria-describedby", hint.id);
  }
  function unlabel(formula) {
    for (const attribute of ["role", "aria-label", "aria-describedby"]) formula.removeAttribute(attribute);
    if (formula.tabIndex < 0) formula.removeAttribute("tabindex");
  }
  // Show a symbol by key. A screen reader hears it with the focus, or by itself where that stays.
  function go(formula, letter) {
    const stays = document.activeElement === formula;
    for (const part of [formula, letter]) part.scrollIntoView({ block: "nearest", inline: "nearest", behavior: "instant" });
    if (!stays) {
      if (!formula.hasAttribute("tabindex")) formula.tabIndex = -1;
      formula.focus({ preventScroll: true });
    }
    show(letter);
    held = true;
    voice.textContent = stays ? tip.textContent : "";
  }
  function step(formula, by) {
    const letters = lettersOf(formula), at = letters.indexOf(here);
    const next = at < 0 && by < 0 ? letters.length - 1 : at + by;
    if (letters[next]) return go(formula, letters[next]);
    let place = formulas.indexOf(formula) + by;
    while (formulas[place] && !isSeen(formulas[place])) place += by;
    if (formulas[place]) go(formulas[place], lettersOf(formulas[place]).at(by < 0 ? -1 : 0));
  }
  // Begin at the first formula in view, below the bar at the top; else at the next one, or the last.
  function enter() {
    const bar = document.querySelector(".bd-header-article").getBoundingClientRect().bottom;
    const seen = formulas.filter(isSeen);
    const first = seen.find((formula) => formula.getBoundingClientRect().top >= Math.max(bar, 0)) ?? seen.at(-1);
    go(first, lettersOf(first)[0]);
  }

  article.addEventListener("focusin", (event) => { if (formulas.includes(event.target)) label(event.target); });
  article.addEventListener("focusout", (event) => {
    if (!formulas.includes(event.target)) return;
    hide();
    if (!isStop(event.target)) unlabel(event.target);
  });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.shiftKey) return;
    const formula = formulas.find((one) => one === document.activeElement);
    if (event.key === "Escape") {
      hide();
      formula?.blur(); // the next Tab goes on from here
    } else if (event.key === KEY && formulas.length) {
      enter();
    } else if (formula && event.key in steps) {
      step(formula, steps[event.key]);
    } else if (formula && (event.key === "Home" || event.key === "End")) {
      go(formula, lettersOf(formula).at(event.key === "Home" ? 0 : -1));
    } else {
      return;
    }
    if (event.key !== "Escape") event.preventDefault();
  });
  for (const formula of formulas.filter(isStop)) {
    formula.tabIndex = 0;
    label(formula);
  }
  if (formulas.length) { // where the link past the menus leads, and seen when it has the focus
    const button = document.createElement("button");
    button.type = "button";
    button.className = "symbol-walk";
    button.textContent = `Walk through the symbols (${KEY})`;
    button.setAttribute("aria-keyshortcuts", KEY);
    button.addEventListener("click", (event) => {
      event.stopPropagation(); // a click elsewhere closes what is shown
      enter();
    });
    document.getElementById("main-content").prepend(button);
  }
  window.addEventListener("resize", hide);
})();
