// What a symbol means, shown beside it: with the mouse, by touch, and from the keyboard. A script of
// the chapter, symbols/<chapter>.js, has put the rows of the page "Notation" into symbolMeanings.
(function () {
  "use strict";
  const article = document.querySelector(".bd-article");
  const LETTER = 'mjx-math [class*="sym-"]';

  function add(name, attributes) {
    const element = document.createElement(name);
    for (const key in attributes) element.setAttribute(key, attributes[key]);
    document.body.append(element);
    return element;
  }
  const tip = add("div", { id: "symbol-tip", class: "symbol-tip", role: "tooltip", hidden: "" });
  const voice = add("div", { class: "symbol-voice", role: "status" });

  const numberOf = (letter) => /\bsym-(\d+)/.exec(letter.getAttribute("class"))[1];
  const letterAt = (event) => event.target.closest?.(LETTER);
  let here = null; // the letter whose meaning is shown
  let held = false; // it stays when the pointer goes
  let leaving;

  function hide() {
    clearTimeout(leaving);
    if (!here) return;
    here.closest("mjx-container").removeAttribute("aria-describedby");
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
    letter.closest("mjx-container").setAttribute("aria-describedby", tip.id);
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
    tip.style.left = `${left + window.scrollX}px`;
    tip.style.top = `${top + window.scrollY}px`;
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
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });

  // A display formula is one stop of the keyboard; the arrow keys walk through its symbols.
  function walk(formula) {
    const letters = [...formula.querySelectorAll(LETTER)].filter((letter) => {
      const base = letter.closest("mjx-script")?.previousElementSibling; // an index of the same symbol
      return !base?.matches(`.sym-${numberOf(letter)}`);
    });
    if (!letters.length) return;
    const number = formula.parentElement.querySelector(".eqno")?.firstChild.textContent ?? "";
    formula.tabIndex = 0;
    formula.setAttribute("role", "group");
    formula.setAttribute("aria-label", `Formula ${number}: arrow keys walk through its symbols`.replace(" :", ":"));
    formula.addEventListener("keydown", (event) => {
      const at = letters.indexOf(here), last = letters.length - 1;
      const next = { ArrowRight: Math.min(at + 1, last), ArrowLeft: at < 0 ? last : Math.max(at - 1, 0), Home: 0, End: last }[event.key];
      if (next === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
      event.preventDefault();
      letters[next].scrollIntoView({ block: "nearest", inline: "nearest" });
      show(letters[next]);
      held = true;
      voice.textContent = tip.textContent;
    });
    formula.addEventListener("focusout", hide);
  }
  for (const formula of article.querySelectorAll('div.math > mjx-container[display="true"]')) walk(formula);
  window.addEventListener("resize", hide);
})();
